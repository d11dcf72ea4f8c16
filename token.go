package main

import (
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/people"
	"wechat-broadcast/services/tokens"
)

// tokenCommand has a command for each thing to do with the tokens of the HTTP API.
type tokenCommand struct {
	Add    tokenAdd    `cmd:"" help:"${usage_token_add}"`
	List   tokenList   `cmd:"" help:"${usage_token_list}"`
	Remove tokenRemove `cmd:"" help:"${usage_token_remove}"`
}

type tokenAdd struct {
	Name string `arg:"" name:"name" help:"${usage_token_name}"`
	// Scope is no required flag and no enumeration of the parser, whose words for that are
	// English and name no way out.
	Scope string `placeholder:"read|draft|send" help:"${usage_token_scope}"`
}

// Run makes a token and prints it alone on the last line.
func (c tokenAdd) Run(s *session) error {
	scope := models.Scope(c.Scope)
	switch {
	case c.Scope == "":
		return usageError(s.words.Say("token.no_scope"))
	case !slices.Contains(models.Scopes, scope):
		return usageError(s.words.Say("token.bad_scope", lang.Vars{"Value": people.Shown(c.Scope)}))
	}
	return s.onTokens(func(service *tokens.Service) error {
		secret, err := service.Add(s.ctx, c.Name, scope)
		if err != nil {
			return err
		}
		told := s.words.Say("token.added", lang.Vars{"Name": c.Name, "Scope": string(scope), "Means": s.words.Say("token.scope." + string(scope))})
		_, err = fmt.Fprintf(s.stdout, "%s\n%s\n", told, secret)
		return err
	})
}

type tokenList struct{}

// Run lists the tokens without their secrets, which nobody knows.
func (tokenList) Run(s *session) error {
	return s.onTokens(func(service *tokens.Service) error {
		list, err := service.Store.Tokens(s.ctx)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			_, err = fmt.Fprintln(s.stdout, s.words.Say("token.none"))
			return err
		}
		out := tabwriter.NewWriter(s.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(out, s.words.Say("token.head"))
		for _, t := range list {
			used := s.words.Say("token.never")
			if !t.LastUsedAt.IsZero() {
				used = lang.Moment(t.LastUsedAt.Time)
			}
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", t.Name, t.Scope, lang.Moment(t.CreatedAt.Time), used)
		}
		return out.Flush()
	})
}

type tokenRemove struct {
	Name string `arg:"" name:"name" help:"${usage_token_name}"`
}

// Run removes a token, which ends at once.
func (c tokenRemove) Run(s *session) error {
	return s.onTokens(func(service *tokens.Service) error {
		if err := service.Remove(s.ctx, c.Name); err != nil {
			return err
		}
		_, err := fmt.Fprintln(s.stdout, s.words.Say("token.removed", lang.Vars{"Name": c.Name}))
		return err
	})
}

// onTokens works on the tokens of an account, also beside a running server.
func (s *session) onTokens(work func(service *tokens.Service) error) error {
	a, err := s.open()
	if err != nil {
		return err
	}
	defer func() { _ = a.process.close() }()
	err = work(a.tokens())
	var told *models.Error
	if !errors.As(err, &told) || !s.words.Has("token.error."+told.Code) {
		return err
	}
	text := s.words.Say("token.error."+told.Code, lang.Vars(told.Args))
	if told.Code == models.TokenNameBad {
		return usageError(text)
	}
	return errors.New(text)
}
