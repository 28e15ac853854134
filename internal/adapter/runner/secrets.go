package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/run"
	"levada/internal/core/secret"
)

// Secrets gives the values of secrets and config maps.
type Secrets interface {
	// Values returns a NotFound error that says how to create what does not exist.
	Values(ctx context.Context, k secret.Kind, name string) (secret.Data, error)
	// Fingerprint digests values such that the digest tells nothing about them.
	Fingerprint(d secret.Data) (string, error)
}

// given is what a step gets from secrets and config maps.
type given struct {
	env   map[string]string
	files []fileSet
	// hide are the values that must not be seen in what the step prints.
	hide [][]byte
}

// fileSet is a secret or config map as files below a path.
type fileSet struct {
	kind secret.Kind
	path string
	data secret.Data
}

// gather reads the secrets and config maps that a step asks for. What is missing and not optional is the step's failure.
func (r *Runner) gather(ctx context.Context, k *ir.KubernetesExecutor) (given, error) {
	g := given{env: map[string]string{}}
	if k == nil {
		return g, nil
	}
	for _, c := range []struct {
		kind    secret.Kind
		env     []ir.KeySource
		volumes []ir.SourceVolume
	}{{secret.Secret, k.SecretAsEnv, k.SecretAsVolume}, {secret.ConfigMap, k.ConfigMapAsEnv, k.ConfigMapAsVolume}} {
		for _, src := range c.env {
			if err := r.gatherEnv(ctx, c.kind, src, &g); err != nil {
				return g, err
			}
		}
		for _, v := range c.volumes {
			data, err := r.values(ctx, c.kind, v.Name(), v.Optional)
			if err != nil {
				return g, err
			}
			g.files = append(g.files, fileSet{c.kind, v.MountPath, data}) // empty when it is optional and missing
			for _, value := range data {
				g.conceal(c.kind, value)
			}
		}
	}
	return g, nil
}

func (r *Runner) gatherEnv(ctx context.Context, k secret.Kind, src ir.KeySource, g *given) error {
	data, err := r.values(ctx, k, src.Name(), src.Optional)
	if err != nil {
		return err
	}
	for _, e := range src.KeyToEnv {
		value, ok := data[e.Key()]
		if !ok {
			if src.Optional {
				continue
			}
			return inputError("%v", secret.MissingKey(k, src.Name(), e.Key()))
		}
		if strings.ContainsRune(string(value), 0) {
			return inputError("key %q of %s %q has a zero byte, which no environment variable can hold: mount it as a file", e.Key(), k, src.Name())
		}
		g.env[e.EnvVar] = string(value)
		g.conceal(k, value)
	}
	return nil
}

func (g *given) conceal(k secret.Kind, value []byte) {
	if k == secret.Secret {
		g.hide = append(g.hide, value)
	}
}

// values returns the values of a secret or config map, none when it is optional and missing.
func (r *Runner) values(ctx context.Context, k secret.Kind, name string, optional bool) (secret.Data, error) {
	if name == "" {
		if optional {
			return nil, nil
		}
		return nil, inputError("a %s is asked for whose name, given by a parameter, is empty", k)
	}
	var data secret.Data
	err := secret.Missing(k, name)
	if r.opt.Secrets != nil {
		data, err = r.opt.Secrets.Values(ctx, k, name)
	}
	switch {
	case err == nil:
		return data, nil
	case fault.KindOf(err) != fault.NotFound:
		return nil, err
	case optional:
		return nil, nil
	}
	return nil, inputError("%v", err)
}

// fingerprint digests what a step gets, for its cache key; empty when it gets nothing.
func (r *Runner) fingerprint(g given) (string, error) {
	all := secret.Data{}
	for name, v := range g.env {
		all["env/"+name] = []byte(v)
	}
	for _, f := range g.files {
		for key, v := range f.data {
			all["file"+f.path+"/"+key] = v
		}
	}
	if len(all) == 0 || r.opt.Secrets == nil {
		return "", nil
	}
	return r.opt.Secrets.Fingerprint(all)
}

// sharedMemory is a file system in memory where the system has one: secrets lie there while a step uses them, not on the disk.
const sharedMemory = "/dev/shm"

// secretDir is the directory of a step's secret files.
func (r *Runner) secretDir(l layout, s *run.Step) string {
	if st, err := os.Stat(sharedMemory); err == nil && st.IsDir() && r.Isolation() == nil {
		return filepath.Join(sharedMemory, r.secretPrefix()+s.Job.RunID+"_"+s.TaskID+"_"+strconv.Itoa(s.Attempt))
	}
	return filepath.Join(l.root, "secrets")
}

// secretPrefix tells the directories of this server's data directory from those of others.
func (r *Runner) secretPrefix() string {
	sum := sha256.Sum256([]byte(r.opt.DataDir))
	return "levada-" + hex.EncodeToString(sum[:])[:12] + "_"
}

// place writes the files of secrets and config maps and returns where they are to be mounted.
func (a *attempt) place(g given) ([]placed, error) {
	var out []placed
	if dir := a.secretDir(a.layout, a.step); slices.ContainsFunc(g.files, func(f fileSet) bool { return f.kind == secret.Secret }) {
		// Everybody may write to shared memory: what is there already may be somebody else's, who would see what is put into it.
		if err := errors.Join(removeAll(dir), os.Mkdir(dir, 0o700)); err != nil {
			return nil, fmt.Errorf("make a directory for secrets: %w", err)
		}
	}
	for i, f := range g.files {
		dir := filepath.Join(a.layout.root, "configmaps", strconv.Itoa(i))
		if f.kind == secret.Secret {
			dir = filepath.Join(a.secretDir(a.layout, a.step), strconv.Itoa(i))
		}
		if err := writeFiles(dir, f.data); err != nil {
			return nil, fmt.Errorf("write the files of a %s: %w", f.kind, err)
		}
		out = append(out, placed{Target: f.path, Source: dir})
	}
	return out, nil
}

func writeFiles(dir string, data secret.Data) error {
	err := os.MkdirAll(dir, 0o700)
	for key, v := range data {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, key), v, 0o400))
	}
	return err
}

// forgetSecrets removes the secret files of an attempt that has ended.
func (r *Runner) forgetSecrets(l layout, s *run.Step) {
	if s.Kubernetes == nil || len(s.Kubernetes.SecretAsVolume) == 0 {
		return
	}
	if err := removeAll(r.secretDir(l, s)); err != nil {
		r.opt.Logger.Error("the secret files of a step could not be removed", "run", s.Job.RunID, "task", s.TaskPath, "error", err)
	}
}

// sweepSecrets removes the secret files of attempts that nobody runs any more.
func (r *Runner) sweepSecrets() {
	dirs, err := filepath.Glob(filepath.Join(sharedMemory, r.secretPrefix()+"*"))
	if err != nil {
		return
	}
	for _, d := range dirs {
		parts := strings.Split(strings.TrimPrefix(filepath.Base(d), r.secretPrefix()), "_")
		if len(parts) == 3 {
			rec, found, err := readRecord(filepath.Join(r.workDir(), parts[0], parts[1]+"."+parts[2]))
			if err == nil && found && !rec.Ended && rec.current() && rec.Supervisor.alive() {
				continue
			}
		}
		_ = removeAll(d) // what cannot be removed now is tried at the next start
	}
}
