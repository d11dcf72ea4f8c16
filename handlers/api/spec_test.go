package api_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"wechat-broadcast/handlers/api"
)

// The OpenAPI file has each route of the API with its scope, and no other.
func TestTheOpenAPIFileHasEveryRoute(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Paths map[string]map[string]yaml.Node `yaml:"paths"`
	}
	if err := yaml.Unmarshal(text, &spec); err != nil {
		t.Fatal(err)
	}
	described := map[string]string{}
	for path, item := range spec.Paths {
		for method, node := range item {
			if method == "parameters" {
				continue
			}
			var operation struct {
				Scope string `yaml:"x-scope"`
			}
			if err := node.Decode(&operation); err != nil {
				t.Fatal(err)
			}
			described[strings.ToUpper(method)+" "+path] = operation.Scope
		}
	}
	served := map[string]string{"GET " + api.SpecPath: ""}
	for _, r := range api.Routes {
		served[r.Method+" "+r.Path] = string(r.Scope)
	}
	if diff := cmp.Diff(served, described); diff != "" {
		t.Errorf("-served +described:\n%s", diff)
	}
}
