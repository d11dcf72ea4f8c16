package sqldump

// constraints begin what CREATE TABLE has between its columns.
var constraints = []string{"PRIMARY", "KEY", "UNIQUE", "INDEX", "FULLTEXT", "SPATIAL", "CONSTRAINT", "CHECK", "FOREIGN", "PERIOD"}

// create learns the columns of CREATE TABLE.
func (r *Reader) create() error {
	t, err := r.next()
	for err == nil && t.keyword("OR", "REPLACE", "TEMPORARY") {
		t, err = r.next()
	}
	if err != nil || t.kind == end {
		return err
	}
	if !t.keyword("TABLE") {
		return r.skip()
	}
	table, err := r.tableAfter("IF", "NOT", "EXISTS")
	if table == nil || err != nil {
		return err
	}
	if t, err = r.next(); err != nil || !t.is("(") {
		return orSkip(r, t, err)
	}
	table.Columns = nil
	for depth, begins := 1, true; depth > 0; {
		if t, err = r.next(); err != nil || t.kind == end {
			return err
		}
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case t.is(",") && depth == 1:
			begins = true
			continue
		case begins && t.named() && !t.keyword(constraints...):
			table.Columns = append(table.Columns, t.text)
		}
		begins = false
	}
	return r.skip()
}
