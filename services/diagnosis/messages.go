package diagnosis

import (
	"slices"
	"strings"

	"wechat-broadcast/lang"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

// Said is the messages that can be sent, and why the message file can't be used, nil if
// it can.
type Said struct {
	Messages  []*message.Definition
	FileFault error
}

// Messages holds every message against the account's templates. reason says in words why
// a message, or the file, is refused.
func (d *Doctor) Messages(said Said, templates []wechat.Template, reason func(error) string) Point {
	var faults, fixes []string
	fault := func(text, fix string) {
		faults = append(faults, text)
		if fix = d.Words.Say(fix); !slices.Contains(fixes, fix) {
			fixes = append(fixes, fix)
		}
	}
	if said.FileFault != nil {
		fault(reason(said.FileFault), "check.fix.message_file")
	}
	for _, m := range said.Messages {
		i := slices.IndexFunc(templates, func(t wechat.Template) bool { return t.ID == m.TemplateID })
		if i < 0 {
			fault(d.Words.Say("check.templates.unknown", lang.Vars{"Name": m.Name, "Template": m.TemplateID}), "check.fix.template")
			continue
		}
		if err := m.CheckTemplate(templates[i]); err != nil {
			fault(reason(err), "check.fix.fields")
		}
	}
	if len(said.Messages) == 0 && said.FileFault == nil {
		fix := "check.fix.write_message"
		if len(templates) == 0 {
			fix = "check.fix.add_template"
		}
		fault(d.Words.Say("check.templates.no_message", lang.Vars{"Count": int64(len(templates))}), fix)
	}
	if len(faults) > 0 {
		return Point{Name: Templates, Detail: strings.Join(faults, "\n"), Fix: strings.Join(fixes, "\n")}
	}
	return d.Good(Templates, "check.templates.fine", lang.Vars{"Count": int64(len(said.Messages))})
}
