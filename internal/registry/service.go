// Package registry owns registered models: their versions, stages, aliases and tags.
//
// Its rules and messages are MLflow's, because MLflow's client is what most callers are. It must not know HTTP, SQL or where
// runs and files are kept: those are behind the interfaces in ports.go. Start reading at Service.CreateVersion.
package registry

import (
	"log/slog"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/track"
)

// Options are what a service is made of.
type Options struct {
	Store   Store
	Sources Sources
	// Checks names of tags; app hands in the rule that tracking has for all names.
	CheckName func(where, name string) error
	Now       func() time.Time
	// Logger is told of what went wrong without failing a call; nil for nobody.
	Logger *slog.Logger
}

// Service answers everything about registered models. Its methods may be called from any goroutine.
type Service struct{ deps Options }

// New returns a service.
func New(o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{deps: o}
}

func (s *Service) now() int64 { return s.deps.Now().UnixMicro() }

func missing(what string) error {
	return fault.Invalidf("Missing value for required parameter '%s'.", what)
}

func checkModelName(what, name string) error {
	if strings.TrimSpace(name) == "" {
		return missing(what)
	}
	if strings.ContainsAny(name, "/:") {
		return fault.Invalidf("Invalid model name '%s'. Names cannot contain '/' or ':'.", name)
	}
	if clean := path.Clean(name); clean != name || clean == "." || strings.HasPrefix(clean, "..") {
		return fault.Invalidf("Invalid value %s for parameter 'name' supplied: Names may be treated as files in certain cases, and must "+
			"not resolve to other names when treated as such. This name would resolve to '%s'", strconv.Quote(name), clean)
	}
	return nil
}

func (s *Service) checkTag(t track.KV) error {
	if err := s.deps.CheckName("key", t.Key); err != nil {
		return err
	}
	if utf8.RuneCountInString(t.Key) > 250 {
		return fault.Invalidf("'key' exceeds the maximum length of 250 characters")
	}
	if utf8.RuneCountInString(t.Value) > 100_000 {
		return fault.Invalidf("'value' exceeds the maximum length of 100000 characters")
	}
	return nil
}

func (s *Service) checkTags(tags []track.KV) ([]track.KV, error) {
	var set []track.KV
	for _, t := range tags {
		if err := s.checkTag(t); err != nil {
			return nil, err
		}
		set = track.Set(set, t.Key, t.Value)
	}
	return set, nil
}

// Number reads the number of a version.
func Number(version string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(version), 10, 64)
	if err != nil {
		return 0, fault.Invalidf("Parameter 'version' must be an integer, got '%s'.", version)
	}
	return n, nil
}

var (
	aliasForm   = regexp.MustCompile(`^[\pL\pN_\-]*$`)
	versionForm = regexp.MustCompile(`^[vV]\d+$`)
)

func checkAlias(alias string) error {
	switch {
	case alias == "":
		return fault.Invalidf("Registered model alias name cannot be empty.")
	case !aliasForm.MatchString(alias):
		return fault.Invalidf("Invalid alias name: '%s'. Names may only contain alphanumerics, underscores (_), and dashes (-).", alias)
	case utf8.RuneCountInString(alias) > 255:
		return fault.Invalidf("'Registered model alias name' exceeds the maximum length of 255 characters")
	}
	return nil
}

func checkReserved(alias string) error {
	switch {
	case strings.EqualFold(alias, "latest"):
		return fault.Invalidf("'latest' alias name (case insensitive) is reserved.")
	case versionForm.MatchString(alias):
		return fault.Invalidf("Version alias name '%s' is reserved.", alias)
	}
	return nil
}

// canonical finds a stage by its name in any case.
func canonical(stage string) (model.Stage, error) {
	for _, s := range model.Stages {
		if strings.EqualFold(string(s), stage) {
			return s, nil
		}
	}
	return "", fault.Invalidf("Invalid Model Version stage: %s. Value must be one of None, Staging, Production, Archived.", stage)
}

func noModel(name string) error {
	return fault.NotFoundf("Registered Model with name=%s not found", name)
}

func noVersion(name string, version int64) error {
	return fault.NotFoundf("Model Version (name=%s, version=%d) not found", name, version)
}

// Model is a registered model with the newest version of each stage.
type Model struct {
	model.Registered
	Latest []model.Version
}
