package people

import (
	"strings"

	"wechat-broadcast/lang"
)

// unreadNamed is how many tables that were not read are named.
const unreadNamed = 10

// FaultLines names the faults of a file, and how many more rows have one. words have the
// sentences of lang.People.
func (f *File) FaultLines(words *lang.Locale) []string {
	var lines []string
	named := int64(0)
	last := Fault{Line: -1}
	for _, fault := range f.Faults {
		if fault.Line != last.Line || fault.Row != last.Row {
			named++
		}
		last = fault
		v := lang.Vars(fault.Args)
		for key, arg := range v {
			switch arg := arg.(type) {
			case string:
				v[key] = Shown(arg)
			case []string:
				v[key] = shownTables(words, arg, v["Count"])
			}
		}
		what := words.Say("import.fault."+fault.Code, v)
		switch {
		case fault.Line == 0:
			lines = append(lines, what)
		case fault.Row == 0:
			lines = append(lines, words.Say("import.line", lang.Vars{"Line": int64(fault.Line), "What": what}))
		default:
			lines = append(lines, words.Say("import.row", lang.Vars{"Line": int64(fault.Line), "Row": fault.Row, "Table": Shown(fault.Table), "What": what}))
		}
	}
	if more := f.Bad - named; more > 0 {
		lines = append(lines, words.Say("import.more", lang.Vars{"Count": more}))
	}
	return lines
}

// shownTables names tables, of which there may be more than are named.
func shownTables(words *lang.Locale, names []string, all any) string {
	for i, name := range names {
		names[i] = Shown(name)
	}
	text := strings.Join(names, words.Say("import.and"))
	if n, ok := all.(int64); ok && n > int64(len(names)) {
		text += "…"
	}
	return text
}

// Shown is a text of a file as it is shown: short, and on one line.
func Shown(text string) string {
	r := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " "))
	if len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return string(r)
}

// Found says what was found in a file beside people. words have the sentences of lang.People.
func (f *File) Found(words *lang.Locale) (lines []string) {
	var tables, renamed []string
	for _, t := range f.Tables {
		tables = append(tables, words.Say("import.table_rows", lang.Vars{"Table": Shown(t.Name), "Count": t.Rows}))
	}
	for _, r := range f.Renamed {
		renamed = append(renamed, words.Say("import.column_field", lang.Vars{"Column": Shown(r.Column), "Field": r.Field}))
	}
	and := words.Say("import.and")
	if len(tables) > 0 {
		lines = append(lines, words.Say("import.tables", lang.Vars{"Tables": strings.Join(tables, and)}))
	}
	lines = append(lines, f.UnreadLine(words)...)
	if f.Repeated > 0 {
		lines = append(lines, words.Say("import.repeated", lang.Vars{"Count": f.Repeated}))
	}
	if f.Column != "" {
		lines = append(lines, words.Say("import.column", lang.Vars{"Column": Shown(f.Column)}))
	}
	if len(f.Fields) > 0 {
		lines = append(lines, words.Say("import.fields", lang.Vars{"Fields": strings.Join(f.Fields, and)}))
	}
	if f.Unfit > 0 {
		lines = append(lines, words.Say("import.unfit", lang.Vars{"Count": f.Unfit, "Fields": strings.Join(f.UnfitFields, and)}))
	}
	if len(renamed) > 0 {
		lines = append(lines, words.Say("import.renamed", lang.Vars{"Columns": strings.Join(renamed, and)}))
	}
	return lines
}

// UnreadLine says which tables of a dump were not read; nothing if all were. words have the
// sentences of lang.People.
func (f *File) UnreadLine(words *lang.Locale) []string {
	if len(f.Unread) == 0 {
		return nil
	}
	var tables []string
	for _, t := range f.Unread[:min(len(f.Unread), unreadNamed)] {
		id := "import.table_rows"
		if t.Line > 0 {
			id = "import.table_statement"
		}
		tables = append(tables, words.Say(id, lang.Vars{"Table": Shown(t.Table), "Count": t.Rows, "Line": int64(t.Line)}))
	}
	text := strings.Join(tables, words.Say("import.and"))
	if len(f.Unread) > unreadNamed {
		text += "…"
	}
	return []string{words.Say("import.unread", lang.Vars{"Count": len(f.Unread), "Tables": text})}
}
