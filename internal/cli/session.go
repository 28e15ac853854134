package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"levada/internal/cli/client"
	"levada/internal/config"
	"levada/internal/core/fault"
)

// localURL stands for the engine inside the command; it is never resolved.
const localURL = "http://levada.localhost"

// session is a connection to an engine, wherever it is.
type session struct {
	*client.Client
	// local is true when the engine is inside this command and ends with it.
	local bool
	close func(ctx context.Context) error
}

// opener starts an engine inside the command.
type opener func(ctx context.Context, cfg config.Config) (Local, error)

// connect finds the engine for a command: the server that was named, else the one that serves the data directory, else
// one started inside the command.
func (a *app) connect(cmd *cobra.Command, open opener) (*session, error) {
	named := a.flags.server
	if named == "" {
		named = a.environ["LEVADA_SERVER"]
	}
	if named != "" {
		return a.dial(cmd.Context(), named)
	}
	cfg, err := a.load(cmd)
	if err != nil {
		return nil, err
	}
	if url, ok := runningServer(cmd.Context(), cfg.DataDir); ok {
		return a.dial(cmd.Context(), url)
	}
	if open == nil {
		return nil, fault.Unimplementedf("this program cannot run an engine of its own: start a server with \"levada up\"")
	}
	// The engine's log shares standard error with what the command says: only what matters should come between.
	if cfg.Origin["log_level"] == "default" {
		cfg.LogLevel = "warn"
	}
	// The engine must outlive an interrupt, so that it can be stopped in good order.
	local, err := open(context.WithoutCancel(cmd.Context()), cfg.Config)
	if err != nil {
		return nil, err
	}
	c, err := client.New(localURL, client.Handler{Handler: local.Handler})
	if err != nil {
		return nil, errors.Join(err, local.Close(context.WithoutCancel(cmd.Context())))
	}
	return &session{Client: c, local: true, close: local.Close}, nil
}

func (a *app) dial(ctx context.Context, url string) (*session, error) {
	c, err := client.New(url, nil)
	if err != nil {
		return nil, err
	}
	probe, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := c.Info(probe); err != nil {
		c.Close()
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, &client.Unreachable{URL: url, Cause: errors.New("no answer within 10 s")}
		}
		var gone *client.Unreachable
		if errors.As(err, &gone) {
			return nil, fmt.Errorf("%w\nStart one with \"levada up\", or leave --server and LEVADA_SERVER out to run without a server", gone)
		}
		return nil, err
	}
	return &session{Client: c, close: func(context.Context) error { c.Close(); return nil }}, nil
}

// with runs the work of a command that makes runs go on, in a session that is closed after it, interrupt or not.
func (a *app) with(cmd *cobra.Command, work func(ctx context.Context, s *session) error) error {
	return a.session(cmd, a.deps.Open, work)
}

// look runs the work of a command that only reads. It must not take unfinished runs up, only to stop them at its end.
func (a *app) look(cmd *cobra.Command, work func(ctx context.Context, s *session) error) error {
	if a.deps.Look == nil {
		return a.with(cmd, work)
	}
	return a.session(cmd, a.deps.Look, work)
}

func (a *app) session(cmd *cobra.Command, open opener, work func(ctx context.Context, s *session) error) error {
	s, err := a.connect(cmd, open)
	if err != nil {
		return err
	}
	workErr := work(cmd.Context(), s)
	if err := s.close(context.WithoutCancel(cmd.Context())); err != nil && workErr == nil {
		return fmt.Errorf("stop the engine: %w", err)
	}
	return workErr
}
