package registry_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"levada/internal/core/model"
	"levada/internal/registry"
)

// leaving has a logged model whose registrar hangs up while the version is stored, and which cannot be told of it.
type leaving struct {
	registry.Sources
	hangUp context.CancelFunc
	told   error
}

func (*leaving) LoggedModel(context.Context, string) (location, runID string, err error) {
	return "mlflow-artifacts:/0/models/m-1/artifacts", "", nil
}

func (l *leaving) Files(context.Context, string) ([]model.File, error) { return nil, nil }

func (l *leaving) Registered(ctx context.Context, _, _ string, _ int64) error {
	l.hangUp()
	l.told = ctx.Err()
	return errors.New("the disk is full")
}

func TestAVersionThatIsStoredIsNotReportedAsFailed(t *testing.T) {
	_, db := open(t, filepath.Join(t.TempDir(), "db"))
	defer db.Close()
	ctx, cancel := context.WithCancel(t.Context())
	sources := &leaving{hangUp: cancel}
	var log bytes.Buffer
	s := registry.New(registry.Options{Store: db.Registry(), Sources: sources, CheckName: func(string, string) error { return nil },
		Now: time.Now, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if _, err := s.CreateModel(ctx, "churn", nil, nil); err != nil {
		t.Fatal(err)
	}
	id := "m-1"
	v, err := s.CreateVersion(ctx, registry.NewVersion{Name: "churn", Source: "models:/m-1", ModelID: &id})
	if err != nil || v.Number != 1 {
		t.Errorf("got version %d, %v; want version 1, which is stored", v.Number, err)
	}
	if sources.told != nil || !strings.Contains(log.String(), "the disk is full") {
		t.Errorf("the logged model was told under %v, and the log says %q; want no end of the call and the error", sources.told, log.String())
	}
}
