package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/glebarez/sqlite"
	"github.com/silenceper/wechat/v2"
	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/officialaccount/config"
	"github.com/silenceper/wechat/v2/officialaccount/message"
	"github.com/silenceper/wechat/v2/util"
	"gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// sentRow is the row that the usual program writes for a send.
type sentRow struct {
	ID        int64
	OpenID    string `gorm:"index"`
	MsgID     int64
	CreatedAt time.Time
}

// sdkToken is an access token that needs no asking.
type sdkToken struct{}

// GetAccessToken implements the SDK's credential.AccessTokenHandle.
func (sdkToken) GetAccessToken() (string, error) { return accessToken, nil }

// sdkLoop is a broadcast as it is usually written with the SDK: its default
// client, a goroutine for each send in flight, and a row by GORM for each send.
// Its SQLite is set up as the program's.
func sdkLoop(ctx context.Context, task loopTask, _ func(string)) (res sample, err error) {
	util.SetURIModifier(func(uri string) string {
		return task.Platform + strings.TrimPrefix(uri, "https://api.weixin.qq.com")
	})
	account := wechat.NewWechat().GetOfficialAccount(&config.Config{AppID: appID, Cache: cache.NewMemory()})
	account.SetAccessTokenHandle(sdkToken{})
	template := account.GetTemplate()
	db, err := openPlainly(task)
	if err != nil {
		return res, err
	}
	defer func() {
		pool, poolErr := db.DB()
		err = errors.Join(err, poolErr, pool.Close())
	}()
	return everyone(ctx, task.Followers, task.InFlight, func(ctx context.Context, person int) error {
		openID := string(appendOpenID(nil, person))
		msgID, err := template.Send(&message.TemplateMessage{
			ToUser: openID, TemplateID: templateID,
			Data: map[string]*message.TemplateDataItem{
				"thing1":   {Value: "图书馆周三闭馆"},
				"time2":    {Value: "2026年11月24日 09:00"},
				"keyword3": {Value: "请相互转告"},
			},
		})
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
		return db.WithContext(ctx).Create(&sentRow{OpenID: openID, MsgID: msgID}).Error
	})
}

// openPlainly opens the database as GORM's own documents do, with as many
// connections as the database is good for.
func openPlainly(task loopTask) (*gorm.DB, error) {
	conns := 24
	dialector := mysql.Open(task.DSN)
	if task.DatabaseDriver == "sqlite" {
		conns = 1
		pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(10000)"}}
		dialector = sqlite.Open("file:" + task.DSN + "?" + pragmas.Encode())
	}
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	pool, err := db.DB()
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	if err := db.AutoMigrate(&sentRow{}); err != nil {
		return nil, fmt.Errorf("make the table: %w", err)
	}
	return db, nil
}
