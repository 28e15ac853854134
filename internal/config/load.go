package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"sigs.k8s.io/yaml"

	"levada/internal/core/fault"
)

// maxFileBytes is far more than a configuration needs; it keeps a wrong path from being read whole.
const maxFileBytes = 1 << 20

// Sources are where values come from, besides the defaults.
type Sources struct {
	// File is the configuration file. Empty means FileName in the data directory, where it may be missing.
	File string
	// Environ holds the process's environment.
	Environ map[string]string
	// Flags holds the flags that were given, by Setting.Key.
	Flags map[string]string
}

// Loaded is a configuration and where each of its values comes from.
type Loaded struct {
	Config
	// Origin says for each Setting.Key "default", "file PATH", "environment NAME" or "flag --NAME".
	Origin map[string]string
	// File is the configuration file that was read, empty when there was none.
	File string
}

// Load computes the configuration. Every error is Invalid and names the source and the setting.
func Load(src Sources) (Loaded, error) {
	l := Loaded{Config: defaults(src.Environ), Origin: map[string]string{}}
	for _, s := range Settings() {
		l.Origin[s.Key] = "default"
	}
	if err := l.applyFile(src); err != nil {
		return Loaded{}, err
	}
	for _, s := range Settings() {
		if text, given := src.Environ[s.Env]; given && text != "" {
			if err := s.setText(&l.Config, text); err != nil {
				return Loaded{}, fault.Invalidf("environment variable %s: %w", s.Env, err)
			}
			l.Origin[s.Key] = "environment " + s.Env
		}
		if text, given := src.Flags[s.Key]; given {
			if err := s.setText(&l.Config, text); err != nil {
				return Loaded{}, fault.Invalidf("flag --%s: %w", s.Flag(), err)
			}
			l.Origin[s.Key] = "flag --" + s.Flag()
		}
	}
	if l.DataDir == "" {
		return Loaded{}, fault.Invalidf("there is no home directory to keep data in: give --data DIR or set LEVADA_DATA")
	}
	dir, err := filepath.Abs(l.DataDir)
	if err != nil {
		return Loaded{}, fault.Invalidf("data directory %q: %w", l.DataDir, err)
	}
	l.DataDir = dir
	return l, nil
}

// applyFile reads the configuration file. The one in the data directory cannot say where the data directory is.
func (l *Loaded) applyFile(src Sources) error {
	path, named := src.File, src.File != ""
	if !named {
		dir := l.DataDir
		if v := src.Environ["LEVADA_DATA"]; v != "" {
			dir = v
		}
		if v, given := src.Flags["data"]; given {
			dir = v
		}
		if dir == "" {
			return nil
		}
		path = filepath.Join(dir, FileName)
	}
	text, err := readFile(path)
	// A data directory that is a file is for those to complain about who need it.
	if !named && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) {
		return nil
	}
	if err != nil {
		return fault.Invalidf("read the configuration file: %w", err)
	}
	l.File = path
	return l.applyYAML(path, text, named)
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFileBytes {
		return nil, fmt.Errorf("%s is not a configuration file: want a regular file of at most %d bytes", path, maxFileBytes)
	}
	return os.ReadFile(path)
}

func (l *Loaded) applyYAML(path string, text []byte, named bool) error {
	body, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return fault.Invalidf("configuration file %s: %w", path, err)
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(body, &values); err != nil {
		return fault.Invalidf("configuration file %s: want lines of the form \"key: value\"", path)
	}
	settings := Settings()
	for key := range values {
		if !slices.ContainsFunc(settings, func(s Setting) bool { return s.Key == key }) {
			return fault.Invalidf("configuration file %s: unknown key %q; known keys: %s", path, key, strings.Join(keys(settings), ", "))
		}
	}
	for _, s := range settings {
		raw, given := values[s.Key]
		if !given {
			continue
		}
		if s.Key == "data" && !named {
			return fault.Invalidf("configuration file %s: \"data\" cannot be set by a file inside the data directory; "+
				"use --data, LEVADA_DATA, or a file named with --config", path)
		}
		if err := s.setJSON(&l.Config, raw); err != nil {
			return fault.Invalidf("configuration file %s: %s: %w", path, s.Key, err)
		}
		l.Origin[s.Key] = "file " + path
	}
	return nil
}

func keys(settings []Setting) []string {
	names := make([]string, 0, len(settings))
	for _, s := range settings {
		names = append(names, s.Key)
	}
	return names
}
