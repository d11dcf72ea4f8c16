package main

import (
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The files for compose are plain YAML: versions of compose differ in the tags of their own,
// such as !reset, that they know.
func TestComposeFilesNeedNoTags(t *testing.T) {
	t.Parallel()
	var plain func(file string, n *yaml.Node)
	plain = func(file string, n *yaml.Node) {
		if tag := n.ShortTag(); !strings.HasPrefix(tag, "!!") && tag != "" {
			t.Errorf("%s:%d: the tag %s", file, n.Line, tag)
		}
		for _, child := range n.Content {
			plain(file, child)
		}
	}
	for _, file := range []string{"compose.yaml", "compose.override.yaml", "deploy/compose.replicas.yaml"} {
		var document yaml.Node
		if err := yaml.Unmarshal([]byte(readFile(t, file)), &document); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		plain(file, &document)
	}
}

// One server alone is reached at a port of the machine's loopback, replicas only through
// their balancer: two can't have the same port.
func TestComposePublishesOnePort(t *testing.T) {
	t.Parallel()
	if got := readCompose(t, compositions["alone"]...).Ports; !slices.Equal(got, []string{"127.0.0.1:${HTTP_PORT:-8080}:8080"}) {
		t.Errorf("one server alone publishes %v", got)
	}
	if got := readCompose(t, compositions["replicas"]...).Ports; len(got) > 0 {
		t.Errorf("replicas publish %v", got)
	}
	if archive := readFile(t, "scripts/release.sh"); !strings.Contains(archive, " compose.yaml compose.override.yaml ") {
		t.Error("a release lacks compose.override.yaml")
	}
}

// What a file for compose names exists: services that others wait for, volumes, and files of
// the repository.
func TestComposeNamesWhatExists(t *testing.T) {
	t.Parallel()
	for name, files := range compositions {
		services, volumes := map[string]bool{}, map[string]bool{}
		var wanted, mounted []string
		for _, file := range files {
			var part struct {
				Services map[string]struct {
					DependsOn map[string]any `yaml:"depends_on"`
					Volumes   []string
				}
				Volumes map[string]any
			}
			if err := yaml.Unmarshal([]byte(readFile(t, file)), &part); err != nil {
				t.Fatal(err)
			}
			for service, s := range part.Services {
				services[service] = true
				for other := range s.DependsOn {
					wanted = append(wanted, other)
				}
				mounted = append(mounted, s.Volumes...)
			}
			for volume := range part.Volumes {
				volumes[volume] = true
			}
		}
		for _, service := range wanted {
			if !services[service] {
				t.Errorf("%s: no service %s to wait for", name, service)
			}
		}
		for _, mount := range mounted {
			source, _, _ := strings.Cut(mount, ":")
			switch {
			case source == "./messages": // made by the one who installs it
			case strings.HasPrefix(source, "./"):
				if text := readFile(t, source); text == "" {
					t.Errorf("%s: %s is empty", name, source)
				}
			case !volumes[source]:
				t.Errorf("%s: no volume %s", name, source)
			}
		}
	}
}
