package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"wechat-broadcast/client"
	"wechat-broadcast/handlers/api"
	"wechat-broadcast/models"
	"wechat-broadcast/services/tokens"
)

// apiServer serves a staged account's API, and holds every answer to the OpenAPI file.
type apiServer struct {
	*stagedAccount
	url string
}

func (s *stagedAccount) api() *apiServer {
	s.t.Helper()
	spec := readSpec(s.t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kept := httptest.NewRecorder()
		s.p.handler.ServeHTTP(kept, r)
		spec.check(r, kept)
		for name, values := range kept.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(kept.Code)
		_, _ = w.Write(kept.Body.Bytes())
	}))
	s.t.Cleanup(server.Close)
	return &apiServer{s, server.URL}
}

// token makes a token and returns its secret.
func (s *stagedAccount) token(name string, scope models.Scope) string {
	s.t.Helper()
	secret, err := s.p.only().tokens().Add(s.t.Context(), name, scope)
	if err != nil {
		s.t.Fatal(err)
	}
	return secret
}

func (a *apiServer) client(name string, scope models.Scope) *client.Client {
	a.t.Helper()
	return client.New(a.url, a.token(name, scope))
}

// apiAnswer is an answer without its body.
type apiAnswer struct {
	StatusCode int
	Header     http.Header
}

// request makes a request and returns the answer and its body.
func (a *apiServer) request(method, path, secret, body string, header ...string) (apiAnswer, string) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return apiAnswer{answer.StatusCode, answer.Header}, string(text)
}

// spec is the OpenAPI file.
type spec struct {
	t        *testing.T
	doc      map[string]any
	mu       sync.Mutex // a compiler is for one at a time
	compiler *jsonschema.Compiler
}

func readSpec(t *testing.T) *spec {
	t.Helper()
	text, err := os.ReadFile("handlers/api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var read any
	if err := yaml.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	s := &spec{t: t, doc: doc.(map[string]any), compiler: jsonschema.NewCompiler()}
	s.compiler.AssertFormat()
	if err := s.compiler.AddResource("file:///openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	return s
}

// check fails the test unless an answer is one that the file has for its route.
func (s *spec) check(r *http.Request, answer *httptest.ResponseRecorder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind, _, _ := strings.Cut(answer.Header().Get("Content-Type"), ";")
	place := "/components/responses/Problem/content/application~1problem+json/schema"
	if path := s.path(r); path != "" {
		responses := s.doc["paths"].(map[string]any)[path].(map[string]any)[strings.ToLower(r.Method)].(map[string]any)["responses"].(map[string]any)
		at := "/paths/" + escape(path) + "/" + strings.ToLower(r.Method) + "/responses/"
		status := strconv.Itoa(answer.Code)
		if responses[status] == nil {
			status = "default"
		}
		response, described := responses[status].(map[string]any)
		if !described {
			s.t.Errorf("%s %s: the file has no answer %d", r.Method, path, answer.Code)
			return
		}
		place = at + status + "/content/" + escape(kind) + "/schema"
		if to, is := response["$ref"].(string); is {
			place = strings.TrimPrefix(to, "#") + "/content/" + escape(kind) + "/schema"
		}
	}
	if kind == "application/yaml" {
		return
	}
	schema, err := s.compiler.Compile("file:///openapi.json#" + place)
	if err != nil {
		s.t.Errorf("%s %s, %d %s: %v", r.Method, r.URL.Path, answer.Code, kind, err)
		return
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(answer.Body.Bytes()))
	if err != nil {
		s.t.Errorf("%s %s: %v: %s", r.Method, r.URL.Path, err, answer.Body)
		return
	}
	if err := schema.Validate(value); err != nil {
		s.t.Errorf("%s %s, %d: %v\n%s", r.Method, r.URL.Path, answer.Code, err, answer.Body)
	}
}

// path returns the path of the file that a request is for; empty for none.
func (s *spec) path(r *http.Request) string {
	for path, item := range s.doc["paths"].(map[string]any) {
		parts, wanted := strings.Split(r.URL.Path, "/"), strings.Split(path, "/")
		same := len(parts) == len(wanted) && item.(map[string]any)[strings.ToLower(r.Method)] != nil
		for i := 0; same && i < len(parts); i++ {
			same = parts[i] == wanted[i] || strings.HasPrefix(wanted[i], "{") && parts[i] != ""
		}
		if same {
			return path
		}
	}
	return ""
}

// escape writes a key in a JSON pointer.
func escape(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(key)
}

// Every route refuses everybody whose token may not use it, also one that was removed.
func TestEveryRouteOfTheAPIAsksForAToken(t *testing.T) {
	t.Parallel()
	a := newStagedAccount(t).api()
	service := a.p.only().tokens()
	for i, route := range api.Routes {
		path := strings.NewReplacer("{id}", "999", "{openid}", "nobody").Replace(route.Path)
		try := func(who, secret string, want int) {
			t.Helper()
			answer, body := a.request(route.Method, path, secret, `{}`)
			if answer.StatusCode != want {
				t.Errorf("%s %s with %s: %d, want %d: %s", route.Method, path, who, answer.StatusCode, want, body)
			}
			if (want == http.StatusUnauthorized) != (answer.Header.Get("WWW-Authenticate") != "") {
				t.Errorf("%s %s with %s: WWW-Authenticate %q", route.Method, path, who, answer.Header.Get("WWW-Authenticate"))
			}
		}
		try("no token", "", http.StatusUnauthorized)
		if i < 8 { // more from one place are too many
			try("a wrong token", "wb_"+strings.Repeat("a", 43), http.StatusUnauthorized)
			name := "removed" + strconv.Itoa(i)
			removed := a.token(name, models.ScopeSend)
			if err := service.Remove(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			try("a removed token", removed, http.StatusUnauthorized)
		}
		for _, scope := range models.Scopes {
			secret := a.token(string(scope)+strconv.Itoa(i), scope)
			want := http.StatusForbidden
			if scope.May(route.Scope) {
				want = allowed(route)
			}
			try("the scope "+string(scope), secret, want)
		}
	}
	tampered := newScopeless(t, service)
	if answer, _ := a.request(http.MethodGet, "/api/v1/messages", tampered, ""); answer.StatusCode != http.StatusForbidden {
		t.Errorf("a token of an unknown scope: %d", answer.StatusCode)
	}
}

// newScopeless makes a token whose scope a later version may know.
func newScopeless(t *testing.T, service *tokens.Service) string {
	t.Helper()
	secret, err := service.Add(t.Context(), "scopeless", "everything")
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// allowed is what a request of the attack is answered to whom it may be made.
func allowed(r api.Route) int {
	switch {
	case strings.Contains(r.Path, "{"):
		return http.StatusNotFound
	case r.Method == http.MethodPost:
		return http.StatusBadRequest // it has no Idempotency-Key
	default:
		return http.StatusOK
	}
}

// Wrong tokens from one place become too many; a right one from there is served all the same.
func TestWrongTokensAreLimited(t *testing.T) {
	t.Parallel()
	a := newStagedAccount(t).api()
	right := a.token("right", models.ScopeRead)
	limited := false
	for i := range 400 {
		answer, _ := a.request(http.MethodGet, "/api/v1/messages", "wb_"+strings.Repeat("b", 40)+strconv.Itoa(100+i), "")
		if limited = answer.StatusCode == http.StatusTooManyRequests; limited {
			if answer.Header.Get("Retry-After") == "" {
				t.Error("it says no time")
			}
			break
		}
	}
	if !limited {
		t.Error("400 wrong tokens at once are looked up")
	}
	if answer, body := a.request(http.MethodGet, "/api/v1/messages", right, ""); answer.StatusCode != http.StatusOK {
		t.Errorf("the right token: %d, %s", answer.StatusCode, body)
	}
}

func TestWhatTheAPIHasNot(t *testing.T) {
	t.Parallel()
	a := newStagedAccount(t).api()
	for path, want := range map[string]int{
		"GET /api/": 404, "GET /api/v1/": 404, "GET /api/v2/broadcasts": 404, "GET /api/v1/broadcasts/": 404, "DELETE /api/v1/broadcasts": 405,
		"POST /api/v1/messages": 405, "PUT /api/openapi.yaml": 405, "GET /api/v1/../v1/nothing": 404,
	} {
		method, at, _ := strings.Cut(path, " ")
		if answer, body := a.request(method, at, "", ""); answer.StatusCode != want {
			t.Errorf("%s: %d, want %d: %s", path, answer.StatusCode, want, body)
		}
	}
	answer, text := a.request(http.MethodGet, "/api/openapi.yaml", "", "")
	if answer.StatusCode != http.StatusOK || !strings.HasPrefix(text, "openapi: 3.1.0") {
		t.Errorf("the file: %d, %.100s", answer.StatusCode, text)
	}
}

// A right token that asks too often is told when to ask again.
func TestATokenIsLimited(t *testing.T) {
	t.Parallel()
	a := newStagedAccount(t).api()
	secret := a.token("busy", models.ScopeSend)
	for range 200 {
		if answer, _ := a.request(http.MethodPost, "/api/v1/broadcasts", secret, ""); answer.StatusCode == http.StatusTooManyRequests {
			if answer.Header.Get("Retry-After") == "" {
				t.Error("it says no time")
			}
			if answer, _ := a.request(http.MethodGet, "/api/v1/broadcasts", secret, ""); answer.StatusCode != http.StatusOK {
				t.Errorf("then it can't read: %d", answer.StatusCode)
			}
			return
		}
	}
	t.Error("200 requests for broadcasts at once are let through")
}

// While the database is away the API says so, and so does one whose account can't be served.
func TestTheAPIWithoutADatabase(t *testing.T) {
	t.Parallel()
	s := newStagedAccount(t)
	a := s.api()
	secret := a.token("reader", models.ScopeRead)
	p, err := newProcess(testSettings(t, map[string]string{"DATABASE_URL": "mysql://u:p@127.0.0.1:1/none"}), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.close() })
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/broadcasts", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+secret)
	kept := httptest.NewRecorder()
	p.handler.ServeHTTP(kept, r)
	readSpec(t).check(r, kept)
	if kept.Code != http.StatusServiceUnavailable || kept.Header().Get("Retry-After") == "" {
		t.Errorf("%d, %s", kept.Code, kept.Body)
	}
}
