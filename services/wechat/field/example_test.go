package field

import "testing"

func TestExamplesFit(t *testing.T) {
	t.Parallel()
	for name, rule := range types {
		if rule.fits == nil {
			continue
		}
		value, cut, err := Check(name+"1", Example(name+"1"))
		if err != nil || cut || value == "" {
			t.Errorf("%s: %q, %t, %v", name, value, cut, err)
		}
	}
}
