package main

import (
	"strings"

	"wechat-broadcast/lang"
	"wechat-broadcast/services/people"
)

// unreadNamed is how many tables that were not read are named.
const unreadNamed = 10

// unread says which tables of a dump were not read.
func unread(words *lang.Locale, f *people.File) []string {
	if len(f.Unread) == 0 {
		return nil
	}
	var tables []string
	for _, t := range f.Unread[:min(len(f.Unread), unreadNamed)] {
		id := "import.table_rows"
		if t.Line > 0 {
			id = "import.table_statement"
		}
		tables = append(tables, words.Say(id, lang.Vars{"Table": shown(t.Table), "Count": t.Rows, "Line": int64(t.Line)}))
	}
	text := strings.Join(tables, words.Say("import.and"))
	if len(f.Unread) > unreadNamed {
		text += "…"
	}
	return []string{words.Say("import.unread", lang.Vars{"Count": len(f.Unread), "Tables": text})}
}
