package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/config"
	"levada/internal/core/fault"
)

func write(t *testing.T, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, config.FileName)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFlagWinsOverTheEnvironmentWhichWinsOverTheFile(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "listen: 127.0.0.1:1\nlog_level: warn\nmax_parallel: 3\nimages:\n  img: [numpy]\n")
	got, err := config.Load(config.Sources{
		Environ: map[string]string{"LEVADA_DATA": dir, "LEVADA_LISTEN": "127.0.0.1:2", "LEVADA_LOG_LEVEL": "error",
			"LEVADA_LOG_FORMAT": ""},
		Flags: map[string]string{"listen": "127.0.0.1:3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Loaded{
		Config: config.Config{DataDir: dir, Listen: "127.0.0.1:3", LogLevel: "error", LogFormat: "text", MaxParallel: 3,
			WarmPython: true, Isolation: true, ServingMaxMiB: 64, ProfileSize: 10240, ProfileMemory: 1024, Images: map[string][]string{"img": {"numpy"}}},
		Origin: map[string]string{"data": "environment LEVADA_DATA", "listen": "flag --listen", "insecure": "default", "isolation": "default",
			"log_level": "environment LEVADA_LOG_LEVEL", "log_format": "default", "max_parallel": "file " + path,
			"warm_python": "default", "cache_max_age": "default", "webhook_hosts": "default", "serving_max_mib": "default", "serving_ports": "default", "serving_memory_mib": "default", "onnxruntime": "default", "profile_size": "default", "profile_memory": "default", "images": "file " + path},
		File: path,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheDataDirectoryFollowsTheEnvironment(t *testing.T) {
	for name, tc := range map[string]struct {
		environ map[string]string
		want    string
	}{
		"LEVADA_DATA":        {map[string]string{"LEVADA_DATA": "/d", "XDG_DATA_HOME": "/x", "HOME": "/h"}, "/d"},
		"XDG_DATA_HOME":      {map[string]string{"XDG_DATA_HOME": "/x", "HOME": "/h"}, "/x/levada"},
		"relative XDG":       {map[string]string{"XDG_DATA_HOME": "x", "HOME": "/h"}, "/h/.local/share/levada"},
		"home":               {map[string]string{"HOME": "/h"}, "/h/.local/share/levada"},
		"home, on Windows":   {map[string]string{"USERPROFILE": "/u"}, "/u/.local/share/levada"},
		"an empty XDG value": {map[string]string{"XDG_DATA_HOME": "", "HOME": "/h"}, "/h/.local/share/levada"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := config.Load(config.Sources{Environ: tc.environ})
			if err != nil || got.DataDir != tc.want {
				t.Errorf("data directory %q, error %v; want %q", got.DataDir, err, tc.want)
			}
		})
	}
}

func TestWrongSettingsAreRefusedByName(t *testing.T) {
	for name, tc := range map[string]struct {
		file    string
		environ map[string]string
		flags   map[string]string
		want    []string
	}{
		"unknown key":            {file: "listne: x\n", want: []string{`unknown key "listne"`, "listen"}},
		"key given twice":        {file: "listen: '127.0.0.1:1'\nlisten: '127.0.0.1:2'\n", want: []string{"listen"}},
		"wrong type":             {file: "max_parallel: many\n", want: []string{"max_parallel", "whole number", "many"}},
		"empty value":            {file: "log_level:\n", want: []string{"log_level", "no value"}},
		"not a mapping":          {file: "- a\n", want: []string{"key: value"}},
		"not YAML":               {file: "a: [\n", want: []string{"configuration file"}},
		"data in its own file":   {file: "data: /elsewhere\n", want: []string{`"data" cannot be set`}},
		"a pip option as image":  {file: "images: {x: [--index-url=http://evil]}\n", want: []string{"images", "not a requirement"}},
		"variable of wrong type": {environ: map[string]string{"LEVADA_WARM_PYTHON": "perhaps"}, want: []string{"LEVADA_WARM_PYTHON", "true or false"}},
		"variable out of range":  {environ: map[string]string{"LEVADA_MAX_PARALLEL": "-1"}, want: []string{"LEVADA_MAX_PARALLEL", "0 to 10000"}},
		"flag with a bad port":   {flags: map[string]string{"listen": "127.0.0.1:99999"}, want: []string{"--listen", "65535"}},
		"flag with a bad level":  {flags: map[string]string{"log_level": "loud"}, want: []string{"--log-level", "debug, info"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if tc.file != "" {
				write(t, dir, tc.file)
			}
			environ := map[string]string{"LEVADA_DATA": dir}
			for k, v := range tc.environ {
				environ[k] = v
			}
			_, err := config.Load(config.Sources{Environ: environ, Flags: tc.flags})
			if fault.KindOf(err) != fault.Invalid || err == nil {
				t.Fatalf("error %v; want an Invalid one", err)
			}
			for _, part := range tc.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not mention %q", err, part)
				}
			}
		})
	}
}

func TestANamedFileMustExistAndMaySetTheDataDirectory(t *testing.T) {
	dir := t.TempDir()
	if _, err := config.Load(config.Sources{File: filepath.Join(dir, "none.yaml")}); fault.KindOf(err) != fault.Invalid || err == nil {
		t.Errorf("missing named file: error %v; want an Invalid one", err)
	}
	path := write(t, dir, "data: /somewhere\n")
	got, err := config.Load(config.Sources{File: path})
	if err != nil || got.DataDir != "/somewhere" {
		t.Errorf("data directory %q, error %v; want /somewhere", got.DataDir, err)
	}
}

func TestWithoutAHomeTheDataDirectoryMustBeGiven(t *testing.T) {
	_, err := config.Load(config.Sources{})
	if err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("error %v; want one that says --data", err)
	}
}

func TestOnlyLoopbackAddressesAreServedUnlessInsecure(t *testing.T) {
	for address, loopback := range map[string]bool{
		"127.0.0.1:8080": true, "127.8.8.8:1": true, "localhost:0": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true,
		"0.0.0.0:8080": false, ":8080": false, "[::]:80": false, "10.0.0.1:80": false, "localhost.example.com:80": false,
	} {
		err := config.Config{Listen: address}.CheckListen()
		if (err == nil) != loopback {
			t.Errorf("%s: error %v; loopback is %t", address, err, loopback)
		}
		if err := (config.Config{Listen: address, Insecure: true}).CheckListen(); err != nil {
			t.Errorf("%s with insecure: %v", address, err)
		}
	}
}

func TestPortsOfEndpointsAreReadAndBounded(t *testing.T) {
	got, err := config.Config{ServingPorts: "iris=9000, a=localhost:0,"}.Ports()
	want := []config.ServingPort{{Endpoint: "iris", Address: "127.0.0.1:9000"}, {Endpoint: "a", Address: "localhost:0"}}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for _, wrong := range []string{"iris", "=9000", "iris=x", "iris=0.0.0.0:9000", "iris=:9000", "iris=127.0.0.1:70000"} {
		if got, err := (config.Config{ServingPorts: wrong}).Ports(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, %v", wrong, got, err)
		}
	}
	if _, err := (config.Config{ServingPorts: "iris=0.0.0.0:9000", Insecure: true}).Ports(); err != nil {
		t.Errorf("with --insecure: %v", err)
	}
}
