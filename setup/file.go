package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Setting is one line of a settings file.
type Setting struct{ Name, Value string }

// YAML returns a settings file with a comment at its top. Settings without a value are
// left out.
func YAML(comment string, settings []Setting) ([]byte, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	text := func(v string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: v} }
	for _, s := range settings {
		if s.Value != "" {
			root.Content = append(root.Content, text(strings.ToLower(s.Name)), text(s.Value))
		}
	}
	var out bytes.Buffer
	for line := range strings.Lines(comment) {
		out.WriteString("# " + strings.TrimSpace(line) + "\n")
	}
	body, err := yaml.Marshal(root)
	if err != nil {
		return nil, fmt.Errorf("write the settings: %w", err)
	}
	out.Write(body)
	return out.Bytes(), nil
}

// CheckPlace tells whether a file can be made at a path. The error is fs.ErrExist if one
// is there, or the system's.
func CheckPlace(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fs.ErrExist
	}
	trial, err := os.CreateTemp(filepath.Dir(path), temporary(path))
	if err != nil {
		return err
	}
	return errors.Join(trial.Close(), os.Remove(trial.Name()))
}

// temporary is the pattern of the names that a file has until it is whole.
func temporary(path string) string { return "." + filepath.Base(path) + ".*" }

// Create makes a file for its owner alone. It is there whole or not at all, and one that
// is there stays as it is: then the error is fs.ErrExist.
func Create(path string, data []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), temporary(path)) // with mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	// A link replaces nothing, whoever else makes the file at this moment.
	if err := os.Link(file.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fs.ErrExist
		}
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// FolderOf returns the folder of a file without symlinks, as far as it is there: a symlink
// to the file leads to the folder in which it is.
func FolderOf(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return filepath.Dir(target), nil
	}
	folder := filepath.Dir(path)
	if target, err := filepath.EvalSymlinks(folder); err == nil {
		return target, nil
	}
	return folder, nil
}
