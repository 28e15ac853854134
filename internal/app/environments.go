package app

import (
	"context"
	"log/slog"
	"path/filepath"

	"levada/internal/adapter/pyenv"
	v1 "levada/internal/api/v1"
	"levada/internal/config"
)

// kfpRequirement is the SDK that compiles Python files where no other is at hand.
const kfpRequirement = "kfp==2.17.0"

func (b builder) environments(cfg config.Config, log *slog.Logger) *pyenv.Provider {
	dir := cfg.DataDir
	if b.users != "" {
		dir = b.users
	}
	return pyenv.New(pyenv.Options{
		Dir: filepath.Join(dir, "envs"), ToolsDir: filepath.Join(dir, "tools"),
		Environ: b.environ, Images: cfg.Images, Logger: log,
	})
}

// kfpPython returns an interpreter that can import kfp.
func (b builder) kfpPython(ctx context.Context, cfg config.Config) (string, error) {
	envs := b.environments(cfg, b.logger(cfg))
	defer envs.Close()
	plan, err := envs.Plan(ctx, "", nil, nil)
	if err != nil {
		return "", err
	}
	plan.Spec.Installs = []pyenv.Install{{Packages: []string{kfpRequirement}}}
	env, err := envs.Ensure(ctx, plan.Spec, func(string) {})
	if err != nil {
		return "", err
	}
	return env.Executable(), nil
}

// findUV returns the uv that environments would be built with.
func (b builder) findUV(ctx context.Context, cfg config.Config) (string, error) {
	envs := b.environments(cfg, b.logger(cfg))
	defer envs.Close()
	return envs.UV(ctx)
}

// environmentList shows the provider's environments through Levada's own API.
type environmentList struct{ provider *pyenv.Provider }

func (l environmentList) List(context.Context) ([]v1.Environment, error) {
	envs, err := l.provider.List()
	if err != nil {
		return nil, err
	}
	out := make([]v1.Environment, len(envs))
	for i, e := range envs {
		out[i] = v1.Environment{
			Key: e.Key, Requirements: e.Requirements, Python: e.Python, Digest: e.Digest, Path: e.Path,
			SizeBytes: e.SizeBytes, State: string(e.State), CreatedAt: e.CreatedAt,
		}
		if !e.LastUsedAt.IsZero() {
			used := e.LastUsedAt
			out[i].LastUsedAt = &used
		}
	}
	return out, nil
}

// pythonComponent finds the requirements and the source in the command of a Python component. They are as the specification has
// them: placeholders are not resolved, credentials are left out.
func pythonComponent(command, args []string) (requirements []string, code string, ok bool) {
	l, ok := pyenv.Recognise(command, args)
	if !ok {
		return nil, "", false
	}
	spec := pyenv.Spec{Installs: l.Installs}
	return spec.Requirements(), l.Source, true
}
