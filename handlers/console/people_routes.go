package console

import (
	"net/http"

	"wechat-broadcast/models"
)

// peopleRoutes are the addresses of people and lists. Whoever may see who sent what to whom
// is trusted to send, so the audit takes a sender.
func peopleRoutes() []Route {
	return []Route{
		{Method: http.MethodGet, Path: "/people", Role: models.Viewer, nav: "nav.people", serve: (*Console).people},
		{Method: http.MethodGet, Path: "/people/:openid", Role: models.Viewer, serve: (*Console).person},
		{Method: http.MethodGet, Path: "/topics", Role: models.Viewer, nav: "nav.topics", serve: (*Console).topics},
		{Method: http.MethodPost, Path: "/topics/set", Role: models.Editor, serve: (*Console).setTopic},
		{Method: http.MethodPost, Path: "/topics/remove", Role: models.Editor, serve: (*Console).removeTopic},
		{Method: http.MethodGet, Path: "/lists", Role: models.Viewer, nav: "nav.lists", serve: (*Console).lists},
		{Method: http.MethodGet, Path: "/lists/rows", Role: models.Viewer, serve: (*Console).list},
		{Method: http.MethodPost, Path: "/lists/upload", Role: models.Editor, body: maxUpload + maxForm, serve: (*Console).upload},
		{Method: http.MethodPost, Path: "/lists/make", Role: models.Editor, serve: (*Console).makeList},
		{Method: http.MethodPost, Path: "/lists/remove", Role: models.Editor, serve: (*Console).removeList},
		{Method: http.MethodGet, Path: "/testers", Role: models.Editor, nav: "nav.testers", serve: (*Console).testers},
		{Method: http.MethodPost, Path: "/testers/add", Role: models.Editor, serve: (*Console).addTester},
		{Method: http.MethodPost, Path: "/testers/remove", Role: models.Editor, serve: (*Console).removeTester},
		{Method: http.MethodGet, Path: "/admins", Role: models.Owner, nav: "nav.admins", serve: (*Console).admins},
		{Method: http.MethodPost, Path: "/admins/add", Role: models.Owner, serve: (*Console).addAdmin},
		{Method: http.MethodPost, Path: "/admins/remove", Role: models.Owner, serve: (*Console).removeAdmin},
		{Method: http.MethodGet, Path: "/audit", Role: models.Sender, nav: "nav.audit", serve: (*Console).audit},
		{Method: http.MethodGet, Path: "/audit.csv", Role: models.Sender, serve: (*Console).auditCSV},
	}
}
