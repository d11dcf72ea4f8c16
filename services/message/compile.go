package message

import (
	"reflect"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"wechat-broadcast/textfile"
	"wechat-broadcast/zone"
)

// compile prepares the message's templates, or returns everything that is wrong
// with them.
//
// A template can use the variables of vars, if and else, comparisons, and the
// functions print, printf, println, urlquery, index, slice and len. What could
// run for long (range, templates that call each other) is not available.
func (d *Definition) compile() (*compiled, Problems) {
	b := builder{compiled: &compiled{def: d}}
	for _, f := range d.Data {
		at := "data." + f.Key + ".value"
		b.compiled.data = append(b.compiled.data, b.part(f.Key, at, f.Value))
		if IsBlank(f.Value) {
			b.add(at, words("problem.empty"), words("hint.value"))
		}
	}
	if len(d.Data) == 0 {
		b.add("data", words("problem.empty"), words("hint.fields"))
	}
	b.compiled.url = b.part("url", "url", d.URL)
	if d.MiniProgram != nil {
		b.compiled.pagePath = b.part("miniprogram.pagepath", "miniprogram.pagepath", d.MiniProgram.PagePath)
	}
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	return b.compiled, nil
}

type builder struct {
	compiled *compiled
	problems Problems
}

func (b *builder) path(at string) string { return join(b.compiled.def.path(), at) }

func (b *builder) add(at string, problem, hint Words) { b.problems.add(b.path(at), problem, hint) }

// part prepares one value. Errors name it as field when it is filled, and as at
// when it is wrong.
func (b *builder) part(field, at, source string) part {
	p := part{field: field, plain: slices.Contains(b.compiled.def.Plain, field)}
	if len(source) > maxValueBytes {
		b.add(at, tooLong, words("hint.shorten"))
		return p
	}
	if !strings.Contains(source, "{{") {
		p.fixed = source
		return p
	}
	t, err := template.New(templateName).Funcs(functions()).Option("missingkey=error").Parse(source)
	if err != nil {
		b.add(at, words("problem.template", "Detail", trimTemplateError(err)), words("hint.braces"))
		return p
	}
	check := templateCheck{builder: b, at: at}
	if t.Tree != nil {
		check.node(t.Root)
	}
	if check.faulty {
		return p
	}
	p.template, p.remark, p.names, p.needs = t, check.remark, check.names, check.needs
	if check.perRecipient {
		b.compiled.varies = true
	} else {
		b.try(p, at, check)
	}
	return p
}

// try renders what depends on no recipient, so that a mistake such as a
// missing layout shows before anybody is sent anything.
func (b *builder) try(p part, at string, check templateCheck) {
	sample := vars{Now: time.Date(2026, time.January, 2, 15, 4, 5, 0, zone.Beijing)}
	sample.Broadcast.ID = 1
	value, variable, problem := execute(p.template, sample)
	if problem.none() && !check.variable && IsBlank(value) {
		problem = words("problem.blank")
	}
	if !problem.none() {
		b.problems = append(b.problems, Problem{Path: b.path(at), Variable: variable, Problem: problem, Hint: words("hint.braces")})
	}
}

// templateName stands at the head of errors of text/template and is cut off again.
const templateName = "value"

func trimTemplateError(err error) string {
	return strings.TrimPrefix(err.Error(), "template: "+templateName+":")
}

// allowedFunctions can neither run for long nor print more than a value may hold.
var allowedFunctions = []string{
	"and", "eq", "ge", "gt", "index", "le", "len", "lt", "ne", "not", "or",
	"print", "printf", "println", "slice", "urlquery",
}

// functions replaces those of text/template whose result could grow without
// bound in a chain of variables, and an index that is silent about a key that
// does not exist.
func functions() template.FuncMap {
	return template.FuncMap{
		"print":    func(args ...any) (string, error) { return printAll(false, args) },
		"printf":   printf,
		"println":  func(args ...any) (string, error) { text, err := printAll(true, args); return text + "\n", err },
		"urlquery": escapeQuery,
		"index": func(fields map[string]string, key string) (string, error) {
			value, ok := fields[key]
			if !ok {
				return "", templateError(words("problem.no_value"))
			}
			return value, nil
		},
	}
}

// sharedVariables are the same for every recipient of a broadcast.
var sharedVariables = []string{"Now", "Broadcast"}

// templateCheck walks a template's tree for what it uses.
type templateCheck struct {
	builder      *builder
	at           string
	faulty       bool
	variable     bool     // uses any variable
	perRecipient bool     // uses one that differs between recipients
	remark       bool     // uses .Remark
	names        []string // the fields of the recipient that it uses, as far as they are plain to see
	needs        []string // those of names without which it can't be filled, whatever the other values are
	branch       int      // how many ifs it is in
}

// field notes the use of a field of the recipient.
func (c *templateCheck) field(name string) {
	c.names = append(c.names, name)
	if c.branch == 0 {
		c.needs = append(c.needs, name)
	}
}

func (c *templateCheck) add(problem, hint Words) {
	c.faulty = true
	path := c.builder.path(c.at)
	same := func(p Problem) bool { return p.Path == path && p.Problem.String() == problem.String() }
	if !slices.ContainsFunc(c.builder.problems, same) {
		c.builder.add(c.at, problem, hint)
	}
}

func (c *templateCheck) node(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, child := range n.Nodes {
				c.node(child)
			}
		}
	case *parse.ActionNode:
		c.node(n.Pipe)
	case *parse.PipeNode:
		for i, command := range n.Cmds {
			c.call(command, i > 0)
			c.node(command)
		}
	case *parse.CommandNode:
		for _, argument := range n.Args {
			c.node(argument)
		}
	case *parse.IfNode:
		c.node(n.Pipe)
		c.branch++
		c.node(n.List)
		c.node(n.ElseList)
		c.branch--
	case *parse.ChainNode:
		c.node(n.Node)
	case *parse.IdentifierNode:
		if !slices.Contains(allowedFunctions, n.Ident) {
			c.add(words("problem.function", "Name", n.Ident), words("hint.use_one", "Names", allowedFunctions))
		}
	case *parse.FieldNode:
		c.uses(n.Ident)
	case *parse.VariableNode:
		if n.Ident[0] == "$" {
			c.uses(n.Ident[1:])
		}
	case *parse.DotNode:
		c.uses(nil)
	case *parse.RangeNode, *parse.WithNode, *parse.TemplateNode:
		keyword, _, _ := strings.Cut(strings.TrimPrefix(n.String(), "{{"), " ")
		c.add(words("problem.not_available", "What", keyword), words("hint.use_if"))
	case *parse.TextNode, *parse.StringNode, *parse.NumberNode, *parse.BoolNode, *parse.NilNode, *parse.CommentNode:
	default:
		c.add(words("problem.not_available", "What", n.String()), words("hint.use_if"))
	}
}

// call checks what could make a text grow beyond any bound; piped says that the
// command is given what another one before it returns.
func (c *templateCheck) call(n *parse.CommandNode, piped bool) {
	var names []string
	switch called := n.Args[0].(type) {
	case *parse.IdentifierNode:
		if len(n.Args) > 1 {
			if format, ok := n.Args[1].(*parse.StringNode); called.Ident == "printf" && ok && isWide(format.Text) {
				c.add(words("problem.width", "Max", maxWidth), words("hint.narrow"))
			}
		}
		if len(n.Args) == 3 && called.Ident == "index" {
			if key, ok := n.Args[2].(*parse.StringNode); ok {
				c.field(key.Text)
			}
		}
		return
	case *parse.FieldNode:
		names = called.Ident
	case *parse.VariableNode:
		names = called.Ident[1:]
	case *parse.ChainNode:
		names = called.Field
	}
	if len(names) == 0 || names[0] == "Fields" {
		return
	}
	switch name := names[len(names)-1]; {
	case strings.HasPrefix(name, "Append"):
		c.add(words("problem.not_available", "What", "."+name), words("hint.layout"))
	case name == "Format" && (piped || slices.ContainsFunc(n.Args[1:], notText)):
		// A layout that Format itself made can double each time: in November
		// "1" becomes "11".
		c.add(words("problem.layout"), words("hint.layout"))
	}
}

func notText(n parse.Node) bool { return n.Type() != parse.NodeString }

// uses checks a variable such as .Broadcast.ID, given as its names.
func (c *templateCheck) uses(names []string) {
	c.variable = true
	written := "." + strings.Join(names, ".")
	if len(names) == 0 {
		c.add(words("problem.lone_dot"), words("hint.use_one", "Names", variableNames()))
		return
	}
	if !slices.Contains(sharedVariables, names[0]) {
		c.perRecipient = true
	}
	c.remark = c.remark || names[0] == "Remark"
	if names[0] == "Fields" && len(names) > 1 {
		c.field(names[1])
	}
	c.builder.compiled.uses = append(c.builder.compiled.uses, names[0])
	if exists(reflect.TypeFor[vars](), names) {
		return
	}
	mend := words("hint.use_one", "Names", variableNames())
	if near := textfile.Nearest(written, variableNames()); near != "" {
		mend = words("hint.near", "Near", near)
	}
	c.add(words("problem.no_variable", "Name", written), mend)
}

func variableNames() []string {
	return []string{".OpenID", ".Now", ".Broadcast.ID", ".SubscribedAt", ".Scene", ".Remark", ".Fields.NAME"}
}

// exists tells whether the names lead from a value of type t to something:
// each is a method, a field, or any key of a map.
func exists(t reflect.Type, names []string) bool {
	for _, name := range names {
		if method, ok := t.MethodByName(name); ok && method.Type.NumOut() > 0 {
			t = method.Type.Out(0)
		} else if t.Kind() == reflect.Map {
			t = t.Elem()
		} else if t.Kind() == reflect.Struct {
			field, ok := t.FieldByName(name)
			if !ok || !field.IsExported() {
				return false
			}
			t = field.Type
		} else {
			return false
		}
	}
	return true
}
