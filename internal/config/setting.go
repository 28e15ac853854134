package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/cachekey"
)

// Setting describes one field of Config.
type Setting struct {
	// Key is the name in the file. The flag is Key with hyphens, the variable is Env.
	Key string
	Env string
	// Doc says in a few words what the setting does.
	Doc string

	// field points to the setting's place in a Config: a *string, *bool, *int or *map[string][]string.
	field func(*Config) any
	check func(Config) error
}

// Flag is the name of the setting's flag, without the hyphens before it.
func (s Setting) Flag() string { return strings.ReplaceAll(s.Key, "_", "-") }

// Settings lists every setting in the order in which they are shown.
func Settings() []Setting {
	return []Setting{
		{Key: "data", Env: "LEVADA_DATA", Doc: "directory that holds everything",
			field: func(c *Config) any { return &c.DataDir }, check: checkDataDir},
		{Key: "listen", Env: "LEVADA_LISTEN", Doc: "address to serve on, HOST:PORT",
			field: func(c *Config) any { return &c.Listen }, check: checkAddress},
		{Key: "insecure", Env: "LEVADA_INSECURE", Doc: "allow an address that other machines can reach",
			field: func(c *Config) any { return &c.Insecure }},
		{Key: "log_level", Env: "LEVADA_LOG_LEVEL", Doc: "debug, info, warn or error",
			field: func(c *Config) any { return &c.LogLevel },
			check: func(c Config) error { return oneOf(c.LogLevel, "debug", "info", "warn", "error") }},
		{Key: "log_format", Env: "LEVADA_LOG_FORMAT", Doc: "text or json",
			field: func(c *Config) any { return &c.LogFormat },
			check: func(c Config) error { return oneOf(c.LogFormat, "text", "json") }},
		{Key: "max_parallel", Env: "LEVADA_MAX_PARALLEL", Doc: "most steps at once; 0 means two per CPU core, and at least 8",
			field: func(c *Config) any { return &c.MaxParallel }, check: checkParallel},
		{Key: "warm_python", Env: "LEVADA_WARM_PYTHON", Doc: "keep Python processes with their imports done",
			field: func(c *Config) any { return &c.WarmPython }},
		{Key: "isolation", Env: "LEVADA_ISOLATION", Doc: "give each step a /tmp and mounts of its own, where the kernel allows",
			field: func(c *Config) any { return &c.Isolation }},
		{Key: "cache_max_age", Env: "LEVADA_CACHE_MAX_AGE", Doc: "how old a result may be to be reused, such as 12h or 30d; empty means any age",
			field: func(c *Config) any { return &c.CacheMaxAge }, check: checkAge},
		{Key: "webhook_hosts", Env: "LEVADA_WEBHOOK_HOSTS", Doc: "hosts inside that webhooks and endpoints may reach, HOST[:PORT] or http://HOST[:PORT], separated by commas",
			field: func(c *Config) any { return &c.WebhookHosts }},
		{Key: "serving_max_mib", Env: "LEVADA_SERVING_MAX_MIB", Doc: "largest body of a request for a prediction, in MiB",
			field: func(c *Config) any { return &c.ServingMaxMiB }, check: checkServingMax},
		{Key: "serving_ports", Env: "LEVADA_SERVING_PORTS", Doc: "endpoints with a port of their own, NAME=[HOST:]PORT, separated by commas",
			field: func(c *Config) any { return &c.ServingPorts }},
		{Key: "serving_memory_mib", Env: "LEVADA_SERVING_MEMORY_MIB", Doc: "MiB that the workers of served models may use together; 0 means half of the machine's memory",
			field: func(c *Config) any { return &c.ServingMemoryMiB }, check: checkServingMemory},
		{Key: "onnxruntime", Env: "LEVADA_ONNXRUNTIME", Doc: "shared library that runs ONNX models without Python, or off; empty means that of the model's environment",
			field: func(c *Config) any { return &c.ONNXRuntime }, check: checkONNXRuntime},
		{Key: "profile_size", Env: "LEVADA_PROFILE_SIZE", Doc: "largest table that the server profiles by itself, in MiB; 0 profiles none",
			field: func(c *Config) any { return &c.ProfileSize }, check: func(c Config) error { return within(c.ProfileSize, 0, 1<<30) }},
		{Key: "profile_memory", Env: "LEVADA_PROFILE_MEMORY", Doc: "most memory of the process that profiles tables, in MiB",
			field: func(c *Config) any { return &c.ProfileMemory }, check: func(c Config) error { return within(c.ProfileMemory, 128, 1<<20) }},
		{Key: "images", Env: "LEVADA_IMAGES", Doc: "Python packages that stand for a container image, as JSON",
			field: func(c *Config) any { return &c.Images }, check: checkImages},
	}
}

// Value returns the setting's value in c.
func (s Setting) Value(c Config) any {
	switch p := s.field(&c).(type) {
	case *string:
		return *p
	case *bool:
		return *p
	case *int:
		return *p
	case *map[string][]string:
		return *p
	default:
		panic(fmt.Sprintf("setting %s has a type that is not handled: %T", s.Key, p))
	}
}

// setText takes a value from a flag or a variable.
func (s Setting) setText(c *Config, text string) error {
	var err error
	switch p := s.field(c).(type) {
	case *string:
		*p = text
	case *bool:
		if *p, err = strconv.ParseBool(text); err != nil {
			return fmt.Errorf("want true or false, got %q", text)
		}
	case *int:
		if *p, err = strconv.Atoi(text); err != nil {
			return fmt.Errorf("want a whole number, got %q", text)
		}
	default:
		if err := s.setJSON(c, []byte(text)); err != nil {
			return err
		}
	}
	return s.checked(*c)
}

// setJSON takes a value from the file.
func (s Setting) setJSON(c *Config, raw []byte) error {
	if bytes.Equal(raw, []byte("null")) {
		return fmt.Errorf("has no value; leave the line out to keep the default")
	}
	p := s.field(c)
	if m, ok := p.(*map[string][]string); ok {
		*m = nil // a map is replaced, not merged with what an earlier source said
	}
	if json.Unmarshal(raw, p) != nil {
		return fmt.Errorf("want %s, got %s", wanted(p), raw)
	}
	return s.checked(*c)
}

func (s Setting) checked(c Config) error {
	if s.check == nil {
		return nil
	}
	return s.check(c)
}

func wanted(p any) string {
	switch p.(type) {
	case *string:
		return "a text"
	case *bool:
		return "true or false"
	case *int:
		return "a whole number"
	default:
		return `names with lists of requirements, such as {"python:3.11": ["pandas==2.2.3"]}`
	}
}

func oneOf(got string, allowed ...string) error {
	if slices.Contains(allowed, got) {
		return nil
	}
	return fmt.Errorf("want %s, got %q", strings.Join(allowed, ", "), got)
}

func checkDataDir(c Config) error {
	if c.DataDir == "" {
		return fmt.Errorf("must not be empty")
	}
	return nil
}

func checkAddress(c Config) error {
	_, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("want HOST:PORT, such as 127.0.0.1:8080, got %q", c.Listen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("want a port from 0 to 65535, got %q", port)
	}
	return nil
}

func checkParallel(c Config) error { return within(c.MaxParallel, 0, 10_000) }

func within(n, least, most int) error {
	if n < least || n > most {
		return fmt.Errorf("want a number from %d to %d, got %d", least, most, n)
	}
	return nil
}

func checkServingMemory(c Config) error {
	if c.ServingMemoryMiB < 0 {
		return fmt.Errorf("want a number from 0 on, got %d", c.ServingMemoryMiB)
	}
	return nil
}

// Off is the value of settings that switch something off.
const Off = "off"

func checkONNXRuntime(c Config) error {
	if c.ONNXRuntime != "" && c.ONNXRuntime != Off && !filepath.IsAbs(c.ONNXRuntime) {
		return fmt.Errorf("%q is neither an absolute path nor %s", c.ONNXRuntime, Off)
	}
	return nil
}

func checkServingMax(c Config) error {
	if c.ServingMaxMiB < 1 || c.ServingMaxMiB > 4096 {
		return fmt.Errorf("want a number of MiB from 1 to 4096, got %d", c.ServingMaxMiB)
	}
	return nil
}

func checkAge(c Config) error {
	if c.CacheMaxAge == "" {
		return nil
	}
	age, err := cachekey.ParseAge(c.CacheMaxAge)
	if err == nil && age == 0 {
		err = fmt.Errorf("want an age above 0, got %q; to reuse nothing, use --no-cache or set_caching_options(False)", c.CacheMaxAge)
	}
	return err
}

func checkImages(c Config) error {
	for image, requirements := range c.Images {
		if strings.TrimSpace(image) == "" {
			return fmt.Errorf("an image has an empty name")
		}
		for _, r := range requirements {
			if r = strings.TrimSpace(r); r == "" || strings.HasPrefix(r, "-") {
				return fmt.Errorf("image %q: %q is not a requirement; want a package such as pandas==2.2.3", image, r)
			}
		}
	}
	return nil
}
