package config

import "wechat-broadcast/lang"

// Check tells what is wrong with one value of a setting, as Load would, in the language
// of a locale, which has the sentences of lang.Terminal. A token must also be one that
// the platform's form takes. The error is a Faults, or nil.
func Check(l *lang.Locale, name, value string) error {
	for _, o := range options {
		if o.name != name {
			continue
		}
		err := o.parse(&values{}, value)
		if err == nil && name == "WECHAT_TOKEN" && !isPlatformToken(value) {
			err = wrong("platform_token")
		}
		if err != nil {
			return Faults{finding{key: name, problem: wordsOf(err), hint: hint(name)}.in(l)}
		}
	}
	return nil
}
