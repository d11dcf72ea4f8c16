package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"wechat-broadcast/config"
	"wechat-broadcast/lang"
	"wechat-broadcast/services/diagnosis"
	"wechat-broadcast/setup"
)

type initCommand struct {
	Out           string   `placeholder:"FILE" type:"path" help:"${usage_init_out}"`
	AppID         string   `name:"app-id" placeholder:"wx…" help:"${usage_init_app_id}"`
	AppSecret     string   `placeholder:"SECRET" help:"${usage_init_app_secret}"`
	AppSecretFile string   `placeholder:"FILE" type:"path" help:"${usage_init_app_secret_file}"`
	Token         string   `placeholder:"TOKEN" help:"${usage_init_token}"`
	AESKey        string   `name:"aes-key" placeholder:"KEY" help:"${usage_init_aes_key}"`
	Admin         []string `placeholder:"OPENID" help:"${usage_init_admin}"`
	PublicURL     string   `name:"public-url" placeholder:"URL" help:"${usage_init_public_url}"`
	DatabaseURL   string   `name:"database-url" placeholder:"URL" help:"${usage_init_database_url}"`
	APIBaseURL    string   `name:"api-base-url" placeholder:"URL" help:"${usage_init_api_base_url}"`
}

// noKey is what is written in place of a key for messages that are not encrypted.
const noKey = "none"

// Run takes an account from nothing to a settings file and its first message. It
// overwrites nothing, and writes nothing before WeChat has accepted the values.
func (c initCommand) Run(s *session) error {
	out, err := filepath.Abs(cmp.Or(c.Out, s.configFile, defaultConfig))
	if err != nil {
		return err
	}
	if err := s.initFault(out, setup.CheckPlace(out)); err != nil {
		return err
	}
	doctor, err := s.newDoctor()
	if err != nil {
		return err
	}
	i := &installation{session: s, doctor: doctor, out: out, values: c.given()}
	if err := i.checkGiven(); err != nil {
		return err
	}
	alone := c.AppID != "" && (c.AppSecret != "" || c.AppSecretFile != "")
	if alone {
		err = i.tryAlone()
	} else {
		err = i.ask()
	}
	if s.ctx.Err() != nil {
		return errors.New(s.words.Say("init.interrupted"))
	}
	if err != nil {
		return err
	}
	if err := i.write(); err != nil {
		return err
	}
	return i.goOn(!alone)
}

// given returns the settings that the flags name.
func (c initCommand) given() map[string]string {
	return map[string]string{
		"WECHAT_APP_ID": c.AppID, "WECHAT_APP_SECRET": c.AppSecret, "WECHAT_APP_SECRET_FILE": c.AppSecretFile,
		"WECHAT_TOKEN": c.Token, "WECHAT_ENCODING_AES_KEY": c.AESKey, "ADMIN_OPENIDS": strings.Join(c.Admin, ","),
		"PUBLIC_URL": c.PublicURL, "DATABASE_URL": c.DatabaseURL, "WECHAT_API_BASE_URL": c.APIBaseURL,
	}
}

// initFault says why there can be no file at a path; nil if err is nil.
func (s *session) initFault(out string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return errors.New(s.words.Say("init.exists", lang.Vars{"File": out}))
	}
	return errors.New(s.words.Say("init.unwritable", lang.Vars{"File": out, "Reason": lang.SystemFault(err)}))
}

// installation is what init works on.
type installation struct {
	*session

	doctor *diagnosis.Doctor
	out    string            // the settings file
	values map[string]string // the settings by their names; "" for none
	// account is what WeChat says of the account.
	account diagnosis.Account
}

// fileOrder are the settings that init writes, in the order of the file.
var fileOrder = []string{
	"WECHAT_APP_ID", "WECHAT_APP_SECRET", "WECHAT_APP_SECRET_FILE", "WECHAT_TOKEN", "WECHAT_ENCODING_AES_KEY",
	"WECHAT_API_BASE_URL", "DATABASE_URL", "ADMIN_OPENIDS", "PUBLIC_URL", "LANGUAGE",
}

// checkGiven tells all that is wrong with the flags.
func (i *installation) checkGiven() error {
	var faults config.Faults
	for _, name := range fileOrder {
		var more config.Faults
		if errors.As(i.checkValue(name, i.values[name]), &more) {
			faults = append(faults, more...)
		}
	}
	if i.values["WECHAT_APP_SECRET"] != "" && i.values["WECHAT_APP_SECRET_FILE"] != "" {
		faults = append(faults, config.NewFault(i.words, "WECHAT_APP_SECRET", lang.Sentence("init.two_secrets"), lang.Sentence("hint.one_of_two")))
	}
	if len(faults) == 0 {
		return nil
	}
	return faults
}

// checkValue tells what is wrong with a value; the empty one stands for none.
func (i *installation) checkValue(name, value string) error {
	if value == "" || name == "WECHAT_ENCODING_AES_KEY" && value == noKey {
		return nil
	}
	return config.Check(i.words, name, value)
}

// settings returns the settings of the values so far. Those that are required and not
// known yet have a stand-in.
func (i *installation) settings() (*config.Settings, error) {
	return config.Load("", false, func(name string) (string, bool) {
		value := i.values[name]
		switch {
		case name == "LANGUAGE":
			value = i.words.Language
		case name == "WECHAT_TOKEN" && value == "":
			value = "standIn"
		case name == "WECHAT_ENCODING_AES_KEY" && value == noKey:
			value = ""
		}
		return value, value != ""
	}, nil)
}

// tryAlone tries the values without asking anything, and tells all that is wrong.
func (i *installation) tryAlone() error {
	settings, err := i.settings()
	if err != nil {
		return err
	}
	points := i.tryAccount(settings)
	if database := i.tryDatabase(settings); !database.OK {
		points = append(points, database)
	}
	i.show(i.doctor, points)
	for _, p := range points {
		if !p.OK && p.Name != diagnosis.Clock {
			return errors.New(i.words.Say("init.not_written"))
		}
	}
	return nil
}

// tryAccount asks WeChat about the account.
func (i *installation) tryAccount(settings *config.Settings) []diagnosis.Point {
	a := settings.Accounts[0]
	client := newTrialClient(a)
	defer client.Close()
	i.account = i.doctor.Account(i.ctx, client, a.APIBaseURL)
	points := []diagnosis.Point{i.account.Credentials, i.account.IPWhitelist, i.account.Permission}
	if i.account.Credentials.OK {
		if clock := i.doctor.Clock(i.ctx, client, a.APIBaseURL); !clock.OK {
			points = append(points, clock)
		}
	}
	return points
}

func (i *installation) tryDatabase(settings *config.Settings) diagnosis.Point {
	a := settings.Accounts[0]
	store, point := i.doctor.Database(i.ctx, a.Database.Driver, a.Database.DSN, a.AppID)
	if store != nil {
		_ = store.Close()
	}
	return point
}

// write makes the settings file, with a token and a key that are made up if there are
// none.
func (i *installation) write() (err error) {
	if i.values["WECHAT_TOKEN"] == "" {
		if i.values["WECHAT_TOKEN"], err = setup.NewToken(); err != nil {
			return err
		}
	}
	switch i.values["WECHAT_ENCODING_AES_KEY"] {
	case noKey:
		i.values["WECHAT_ENCODING_AES_KEY"] = ""
	case "":
		if i.values["WECHAT_ENCODING_AES_KEY"], err = setup.NewKey(); err != nil {
			return err
		}
	}
	if i.words.Language != lang.Languages[0] {
		i.values["LANGUAGE"] = i.words.Language
	}
	lines := make([]setup.Setting, len(fileOrder))
	for n, name := range fileOrder {
		lines[n] = setup.Setting{Name: name, Value: i.values[name]}
	}
	data, err := setup.YAML(i.words.Say("init.comment"), lines)
	if err != nil {
		return err
	}
	if err := i.initFault(i.out, setup.Create(i.out, data)); err != nil {
		return err
	}
	fmt.Fprintf(i.stdout, "\n%s\n", i.words.Say("init.written", lang.Vars{"File": i.out}))
	return nil
}
