package runner

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"levada/internal/adapter/pyenv"
	"levada/internal/adapter/steplog"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// attempt is a container step while it is executed.
type attempt struct {
	*Runner
	step   *run.Step
	layout layout
	log    *steplog.Writer
	input  *ir.ExecutorInput
	spec   *ir.Container // placeholders resolved
	limits ir.Limits
	plan   pyenv.Plan
	env    *pyenv.Environment
	view   view
	given  given
	mask   *mask
}

func (r *Runner) container(ctx context.Context, s *run.Step, l layout, log *steplog.Writer) (run.Values, error) {
	a := &attempt{Runner: r, step: s, layout: l, log: log}
	if err := a.resolve(ctx); err != nil {
		return run.Values{}, err
	}
	if given, asked := a.gate.share(a.limits); given.cores < asked.cores || given.memory < asked.memory {
		log.System("the step asks for more than this machine has (%g cores, %.0f MiB): it is given all of it", r.opt.Cores, r.opt.Memory/(1<<20))
	}
	if err := l.create(); err != nil {
		return run.Values{}, fmt.Errorf("make the step's directories: %w", err)
	}
	if ws := s.Job.WorkspacePath; ws != "" {
		if err := os.MkdirAll(ws, 0o755); err != nil {
			return run.Values{}, fmt.Errorf("make the run's workspace: %w", err)
		}
	}
	if err := r.materialise(ctx, s, l); err != nil {
		return run.Values{}, err
	}
	if err := a.run(ctx); err != nil {
		return run.Values{}, err
	}
	return a.collect(ctx)
}

// resolve works out what is to be executed, and where.
func (a *attempt) resolve(ctx context.Context) error {
	var err error
	if a.input, err = a.layout.executorInput(a.step); err != nil {
		return err
	}
	c := a.step.Executor.Container
	p := placeholders(a.step)
	if a.spec, err = ir.ResolveContainer(c, a.input, p); err != nil {
		return inputError("%v", err)
	}
	if a.limits, err = ir.ResolveLimits(c.Resources, a.input, p); err != nil {
		return inputError("%v", err)
	}
	if len(a.spec.Command)+len(a.spec.Args) == 0 {
		return unsupported("task %s has no command: the default command of image %s is not known without the image; give the component a command",
			a.step.TaskPath, a.spec.Image)
	}
	if a.given, err = a.gather(ctx, a.step.Kubernetes); err != nil {
		return err
	}
	if a.mask = newMask(a.given.hide); a.mask != nil {
		a.log.Hide(a.mask.text, a.mask.longest)
	}
	if a.plan, err = a.opt.Envs.Plan(ctx, a.spec.Image, a.spec.Command, a.spec.Args); err != nil {
		return environmentFailure(err)
	}
	for _, note := range a.plan.Notes {
		a.log.System("%s", note)
	}
	a.notes(a.limits, a.log)
	a.env, err = a.ensure(ctx, a.plan, a.log)
	return err
}

// needs is the share of the machine that a step takes: one place, and what it declares.
func needs(l ir.Limits) share {
	n := share{places: 1, cores: l.CPURequest, memory: l.MemoryRequest, devices: float64(l.Accelerators)}
	if n.cores <= 0 {
		n.cores = l.CPULimit
	}
	if n.memory <= 0 {
		n.memory = l.MemoryLimit
	}
	return n
}

// share returns what a step gets of what it asks for.
func (g *gate) share(l ir.Limits) (given, asked share) {
	asked = needs(l)
	given, _ = g.clamp(asked)
	return given, asked
}

// job is a process to be started.
type job struct {
	argv   []string
	env    map[string]string
	dir    string
	module []string // the arguments of kfp.dsl.executor_main, for a warm host
	view   *view    // the file system of its own that it gets, or nil
}

func (a *attempt) run(ctx context.Context) error {
	bin := a.env.Bin()
	if a.plan.Lightweight == nil && installsPackages(a.spec) {
		dir := filepath.Join(a.layout.root, "venv")
		a.log.System("the step installs packages itself: it gets an environment of its own")
		if err := a.opt.Envs.Scratch(ctx, a.env, a.plan.Spec, dir, func(line string) { a.log.System("%s", line) }); err != nil {
			return environmentFailure(err)
		}
		bin = filepath.Join(dir, "bin")
	}
	env, err := a.environ(a.step, a.spec, a.layout, bin, a.given.env)
	if err != nil {
		return err
	}
	j := job{env: env, dir: a.layout.cwd(), argv: slices.Concat(a.spec.Command, a.spec.Args)}
	if list, giveBack := a.devices.take(a.limits.Accelerators); len(list) > 0 {
		defer giveBack()
		if _, set := env["CUDA_VISIBLE_DEVICES"]; !set {
			env["CUDA_VISIBLE_DEVICES"] = visible(list)
		}
	}
	if a.plan.Lightweight != nil {
		if err := a.lightweight(&j); err != nil {
			return err
		}
	}
	mounts, err := a.mounts()
	if err != nil {
		return err
	}
	if err := a.arrange(&j, mounts); err != nil {
		return err
	}
	return a.supervise(ctx, j)
}

// installsPackages reports whether a command that is executed as written changes the environment it runs in.
func installsPackages(c *ir.Container) bool {
	return slices.ContainsFunc(slices.Concat(c.Command, c.Args), func(w string) bool {
		return strings.Contains(w, "pip install") || strings.Contains(w, "pip3 install") || w == "pip" || w == "pip3"
	})
}

// lightweight writes the component's source and replaces the shell commands around it.
func (a *attempt) lightweight(j *job) error {
	dir, err := os.MkdirTemp(a.layout.tmp(), "component-")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "ephemeral_component.py")
	if err := os.WriteFile(path, []byte(a.plan.Lightweight.Source), 0o644); err != nil {
		return err
	}
	j.env["_KFP_RUNTIME"] = "true"
	j.module = append([]string{"--component_module_path", path}, a.plan.Lightweight.Args...)
	main := []string{"-m", executorMain}
	if oldPaths(a.plan.Spec.KFP()) {
		script, err := a.hosts.scripts.path(executorScript)
		if err != nil {
			return err
		}
		main = []string{script}
	}
	j.argv = slices.Concat([]string{a.env.Executable()}, main, j.module)
	return nil
}

const executorMain = "kfp.dsl.executor_main"

// oldPaths reports whether a kfp version (before 2.5) gives artifacts with a local path no path at all.
func oldPaths(version string) bool {
	var major, minor int
	if n, err := fmt.Sscanf(version, "%d.%d", &major, &minor); n != 2 || err != nil {
		return false
	}
	return major == 2 && minor < 5
}

// deadline returns the time limit of a step, 0 when it has none.
func (a *attempt) deadline() time.Duration {
	if a.step.Kubernetes == nil {
		return 0
	}
	seconds, err := a.step.Kubernetes.ActiveDeadlineSeconds.Float64()
	if err != nil || seconds <= 0 {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}
