package steplog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// SaveUsage keeps what an attempt has used so far, beside its log: <run>/<task>/<attempt>.usage, a run.Usage as JSON.
func (s *Store) SaveUsage(runID, taskID string, attempt int, u *run.Usage) error {
	path, err := s.usagePath(runID, taskID, attempt)
	if err != nil {
		return err
	}
	body, err := json.Marshal(u)
	if err != nil {
		return fmt.Errorf("write what task %s used: %w", taskID, err)
	}
	// A reader sees the file before or after, never between. What a crash loses of it is no loss.
	if err := os.WriteFile(path+"~", body, 0o644); err != nil {
		return fmt.Errorf("write what task %s used: %w", taskID, err)
	}
	return os.Rename(path+"~", path)
}

// Usage returns what an attempt has used so far; NotFound when nothing was measured.
func (s *Store) Usage(_ context.Context, runID, taskID string, attempt int) (run.Usage, error) {
	var u run.Usage
	path, err := s.usagePath(runID, taskID, attempt)
	if err != nil {
		return u, err
	}
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return u, fault.NotFoundf("task %s, attempt %d: what it used was not measured; it took less than a second, or ran before that was done", taskID, attempt)
	}
	if err == nil {
		err = json.Unmarshal(body, &u)
	}
	if err != nil {
		return u, fmt.Errorf("read what task %s used: %w", taskID, err)
	}
	return u, nil
}

func (s *Store) usagePath(runID, taskID string, attempt int) (string, error) {
	path, err := s.path(runID, taskID, attempt)
	return strings.TrimSuffix(path, ".log") + ".usage", err
}
