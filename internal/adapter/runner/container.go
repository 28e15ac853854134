package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"levada/internal/adapter/pyenv"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// attempt is a container step while it is executed.
type attempt struct {
	*Runner
	step   *run.Step
	layout layout
	log    *attemptLog
	input  *ir.ExecutorInput
	spec   *ir.Container // placeholders resolved
	limits ir.Limits
	plan   pyenv.Plan
	env    *pyenv.Environment
	view   view
	given  given
	// giveBack frees the accelerators that the step has to itself.
	giveBack func()
}

func (r *Runner) container(ctx context.Context, s *run.Step, l layout, log *attemptLog) (run.Values, error) {
	a := &attempt{Runner: r, step: s, layout: l, log: log, giveBack: func() {}}
	defer func() { a.giveBack() }()
	if err := a.read(); err != nil {
		return run.Values{}, err
	}
	rec, found, err := readRecord(l.root)
	switch {
	case err != nil:
		return run.Values{}, fmt.Errorf("find out whether the attempt was started before: %w", err)
	case found:
		rec, err = a.adopt(ctx, rec)
	default:
		rec, err = a.begin(ctx)
	}
	if err != nil {
		return run.Values{}, err
	}
	r.count(&rec, found)
	if rec.Failure != nil {
		return run.Values{}, rec.Failure
	}
	a.view.placed = rec.Placed
	return a.collect(ctx)
}

// count keeps the statistics.
func (r *Runner) count(rec *record, adopted bool) {
	switch {
	case adopted:
		r.stats.adopted.Add(1)
	case rec.How == howWarm:
		r.stats.warm.Add(1)
	case rec.How == howFallback:
		r.stats.fallbacks.Add(1)
		r.stats.executed.Add(1)
	default:
		r.stats.executed.Add(1)
	}
	if rec.Failure != nil && rec.Failure.Reason == run.ReasonLost {
		r.stats.lost.Add(1)
	}
}

// adopt waits for an attempt that an earlier server started. It holds its room on the machine already.
func (a *attempt) adopt(ctx context.Context, rec record) (record, error) {
	need, _ := a.gate.clamp(needs(a.limits))
	a.gate.occupy(need)
	defer a.gate.leave(need)
	a.unhold(a.layout.root)
	a.giveBack = a.devices.occupy(rec.Devices)
	a.opt.Logger.Info("step adopted", "run", a.step.Job.RunID, "task", a.step.TaskPath, "pid", rec.Step.PID, "ended", rec.Ended)
	return a.attach(ctx, a.layout, rec, podUID(a.step))
}

// begin starts the attempt and sees it through to its end.
func (a *attempt) begin(ctx context.Context) (record, error) {
	if err := a.prepare(ctx); err != nil {
		return record{}, err
	}
	if given, asked := a.gate.share(a.limits); given.cores < asked.cores || given.memory < asked.memory {
		a.log.System("the step asks for more than this machine has (%g cores, %.0f MiB): it is given all of it", a.opt.Cores, a.opt.Memory/(1<<20))
	}
	if err := a.layout.create(a.step.Component, a.plan.Lightweight != nil); err != nil {
		return record{}, fmt.Errorf("make the step's directories: %w", err)
	}
	if ws := a.step.Job.WorkspacePath; ws != "" {
		if err := os.MkdirAll(ws, 0o755); err != nil {
			return record{}, fmt.Errorf("make the run's workspace: %w", err)
		}
	}
	if err := a.materialise(ctx, a.step, a.layout); err != nil {
		return record{}, err
	}
	o, err := a.order(ctx)
	if err != nil {
		return record{}, err
	}
	a.log.handOver()
	return a.overseer.run(ctx, o)
}

// read works out what the step asks for.
func (a *attempt) read() error {
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
	return nil
}

// prepare finds the environment in which the step is to run, and makes it if need be.
func (a *attempt) prepare(ctx context.Context) error {
	var err error
	if len(a.spec.Command)+len(a.spec.Args) == 0 {
		return unsupported("task %s has no command: the default command of image %s is not known without the image; give the component a command",
			a.step.TaskPath, a.spec.Image)
	}
	if a.given, err = a.gather(ctx, a.step.Kubernetes); err != nil {
		return err
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

// order makes the order for the overseer.
func (a *attempt) order(ctx context.Context) (*order, error) {
	bin := a.env.Bin()
	if a.plan.Lightweight == nil && installsPackages(a.spec) {
		dir := filepath.Join(a.layout.root, "venv")
		a.log.System("the step installs packages itself: it gets an environment of its own")
		if err := a.opt.Envs.Scratch(ctx, a.env, a.plan.Spec, dir, func(line string) { a.log.System("%s", line) }); err != nil {
			return nil, environmentFailure(err)
		}
		bin = filepath.Join(dir, "bin")
	}
	env, err := a.environ(a.step, a.spec, a.layout, bin, a.given.env)
	if err != nil {
		return nil, err
	}
	o := &order{
		Run: a.step.Job.RunID, Task: a.step.TaskID, Attempt: a.step.Attempt, Path: a.step.TaskPath, Root: a.layout.root,
		Job:    job{Env: env, Dir: a.layout.cwd(), Argv: slices.Concat(a.spec.Command, a.spec.Args)},
		Memory: int64(a.limits.MemoryLimit), Timeout: a.deadline(), Grace: a.opt.Grace, Image: a.spec.Image,
		Hide: a.given.hide, Environment: a.env.Digest,
	}
	o.Devices, a.giveBack = a.devices.take(a.limits.Accelerators)
	if _, set := env["CUDA_VISIBLE_DEVICES"]; len(o.Devices) > 0 && !set {
		env["CUDA_VISIBLE_DEVICES"] = visible(o.Devices)
	}
	if a.plan.Lightweight != nil {
		if err := a.lightweight(&o.Job); err != nil {
			return nil, err
		}
		if a.opt.Mode == Warm {
			o.Interpreter = &interpreter{Key: a.env.Key, Path: a.env.Path, Executable: a.env.Executable(), Bin: a.env.Bin()}
			o.Plain = len(a.spec.Env) > 0 || a.filled()
		}
	} else if err := a.layout.shortenArguments(&o.Job); err != nil {
		return nil, err
	}
	wanted, err := a.mounts()
	if err != nil {
		return nil, err
	}
	if o.Interpreter != nil && a.reuse(len(wanted)) {
		sum := sha256.Sum256([]byte(a.plan.Lightweight.Source + "\x00" + a.spec.Image))
		o.Reuse, o.Plain = hex.EncodeToString(sum[:16]), false
		return o, nil
	}
	if err := a.arrange(&o.Job, wanted); err != nil {
		return nil, err
	}
	o.Placed = a.view.placed
	return o, nil
}

// modeVariable is how the author of a pipeline says that the steps of a component may share a process, one after the other:
// task.set_env_variable("LEVADA_PYTHON_MODE", "reuse").
const modeVariable = "LEVADA_PYTHON_MODE"

// reuse reports whether the step may run in a process that has run others of its component. It sees the machine's own /tmp then: a
// process has one view of the file system.
func (a *attempt) reuse(mounts int) bool {
	i := slices.IndexFunc(a.spec.Env, func(e ir.EnvVar) bool { return e.Name == modeVariable })
	if i < 0 || a.spec.Env[i].Value == "isolated" {
		return false
	}
	if a.spec.Env[i].Value != "reuse" {
		a.log.System("%s is %q: want \"reuse\" or \"isolated\"; the step gets a process of its own", modeVariable, a.spec.Env[i].Value)
		return false
	}
	if mounts > 0 || len(a.spec.Env) > 1 || a.filled() {
		a.log.System("%s=reuse has no effect on a step with mounts or environment variables of its own: it gets a process of its own", modeVariable)
		return false
	}
	return true
}

// filled reports whether the step has variables from secrets, config maps or its own metadata.
func (a *attempt) filled() bool {
	return len(a.given.env) > 0 || a.step.Kubernetes != nil && len(a.step.Kubernetes.FieldPathAsEnv) > 0
}

// installsPackages reports whether a command that is executed as written changes the environment it runs in.
func installsPackages(c *ir.Container) bool {
	return slices.ContainsFunc(slices.Concat(c.Command, c.Args), func(w string) bool {
		return strings.Contains(w, "pip install") || strings.Contains(w, "pip3 install") || w == "pip" || w == "pip3"
	})
}

// lightweight writes the component's source and replaces the shell commands around it.
func (a *attempt) lightweight(j *job) error {
	if err := os.Mkdir(a.layout.component(), 0o755); err != nil {
		return err
	}
	path := filepath.Join(a.layout.component(), "ephemeral_component.py")
	if err := os.WriteFile(path, []byte(a.plan.Lightweight.Source), 0o644); err != nil {
		return err
	}
	arguments := append([]string{"--component_module_path", path}, a.plan.Lightweight.Args...)
	if !a.plan.Lightweight.Whole { // a warm host has only the parts of kfp that a step needs
		j.Env["_KFP_RUNTIME"] = "true"
		j.Module = arguments
	}
	main := []string{"-m", executorMain}
	if oldPaths(a.plan.Spec.KFP()) {
		script, err := a.scripts.Path(executorScript)
		if err != nil {
			return err
		}
		main = []string{script}
	}
	j.Argv = slices.Concat([]string{a.env.Executable()}, main, arguments)
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
