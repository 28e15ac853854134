package runner_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"levada/internal/adapter/runner"
	"levada/internal/core/ir"
	"levada/internal/core/run"
	"levada/internal/core/secret"
)

// vault holds secrets in memory.
type vault map[string]secret.Data

func (v vault) Values(_ context.Context, k secret.Kind, name string) (secret.Data, error) {
	d, ok := v[string(k)+"/"+name]
	if !ok {
		return nil, secret.Missing(k, name)
	}
	return d, nil
}

func (v vault) Fingerprint(d secret.Data) (string, error) {
	b, err := json.Marshal(d)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), err
}

const password = "correct horse battery"

func withSecrets(t *testing.T, mode runner.Mode) *fixture {
	t.Helper()
	return newFixture(t, func(o *runner.Options) {
		o.Mode = mode
		o.Secrets = vault{
			"secret/db":       {"user": []byte("ada"), "password": []byte(password)},
			"configmap/train": {"rate": []byte("0.1")},
		}
	})
}

func TestSecretsArriveAndAreNotShown(t *testing.T) {
	for _, mode := range []runner.Mode{runner.Exec, runner.Warm} {
		t.Run(string(mode), func(t *testing.T) {
			f := withSecrets(t, mode)
			if err := f.Isolation(); err != nil {
				t.Skipf("this machine allows no mount namespaces: %v", err)
			}
			s := f.python(`
def f() -> bool:
    import os, sys
    p = os.environ['PASSWORD']
    print('it is', p)
    for part in (p[:7], p[7:] + ' at', ' the end'):
        sys.stdout.write(part)
        sys.stdout.flush()
    print()
    assert open('/mnt/levada-db/password').read() == p and sorted(os.listdir('/mnt/levada-db')) == ['password', 'user']
    assert open('/mnt/levada-train/rate').read() == '0.1' and os.environ['RATE'] == '0.1'
    raise ValueError('cannot log in with ' + p)
`)
			s.Kubernetes = &ir.KubernetesExecutor{
				SecretAsEnv:       []ir.KeySource{{SecretName: "db", KeyToEnv: []ir.KeyToEnv{{SecretKey: "password", EnvVar: "PASSWORD"}}}},
				ConfigMapAsEnv:    []ir.KeySource{{ConfigMapName: "train", KeyToEnv: []ir.KeyToEnv{{ConfigMapKey: "rate", EnvVar: "RATE"}}}},
				SecretAsVolume:    []ir.SourceVolume{{SecretName: "db", MountPath: "/mnt/levada-db"}},
				ConfigMapAsVolume: []ir.SourceVolume{{ConfigMapName: "train", MountPath: "/mnt/levada-train"}},
			}
			failure := f.fails(t.Context(), s, run.ReasonExit)
			contains(t, failure.Message, "ValueError: cannot log in with ***")
			contains(t, f.log(s), "it is ***", "*** at the end")
			if strings.Contains(failure.Message+f.log(s), password) {
				t.Errorf("the password is shown:\n%s\n%s", failure.Message, f.log(s))
			}
			if file := findText(t, f.data, password); file != "" {
				t.Errorf("the password is on the disk, in %s", file)
			}
			if left, _ := filepath.Glob("/dev/shm/levada-*_" + s.Job.RunID + "_" + s.TaskID + "_1"); len(left) > 0 {
				t.Errorf("secret files are left: %v", left)
			}
		})
	}
}

// findText returns a file below dir that holds a text.
func findText(t *testing.T, dir, text string) string {
	t.Helper()
	found := ""
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte(text)) {
			found = path
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAMissingSecretOrKeyIsNamedWithWhatToDo(t *testing.T) {
	f := withSecrets(t, runner.Exec)
	for _, c := range []struct {
		k    ir.KubernetesExecutor
		want []string
	}{
		{ir.KubernetesExecutor{SecretAsEnv: []ir.KeySource{{SecretName: "nobody"}}}, []string{`secret "nobody" does not exist`, "levada secret set nobody KEY=VALUE"}},
		{ir.KubernetesExecutor{SecretAsEnv: []ir.KeySource{{SecretName: "db", KeyToEnv: []ir.KeyToEnv{{SecretKey: "token", EnvVar: "T"}}}}},
			[]string{`secret "db" has no key "token"`, "levada secret set db token=VALUE"}},
		{ir.KubernetesExecutor{ConfigMapAsVolume: []ir.SourceVolume{{ConfigMapName: "ca", MountPath: "/etc/ca"}}},
			[]string{`config map "ca" does not exist`, "levada configmap set ca KEY=VALUE"}},
		{ir.KubernetesExecutor{SecretAsVolume: []ir.SourceVolume{{MountPath: "/x"}}}, []string{"a secret is asked for whose name, given by a parameter, is empty"}},
	} {
		s := f.command("alpine", "true")
		s.Kubernetes = &c.k
		contains(t, f.fails(t.Context(), s, run.ReasonInput).Message, c.want...)
		if _, err := f.Environment(t.Context(), s); err == nil {
			t.Errorf("the environment of a step without its secrets has a digest: %+v", c.k)
		}
	}
	s := f.command("alpine", "sh", "-c", `[ -z "$T" ] && [ -z "$U" ] && [ -d /mnt/levada-optional ]`)
	s.Kubernetes = &ir.KubernetesExecutor{
		SecretAsEnv: []ir.KeySource{
			{SecretName: "nobody", Optional: true, KeyToEnv: []ir.KeyToEnv{{SecretKey: "token", EnvVar: "T"}}},
			{SecretName: "db", Optional: true, KeyToEnv: []ir.KeyToEnv{{SecretKey: "token", EnvVar: "U"}}},
		},
		SecretAsVolume: []ir.SourceVolume{{SecretName: "nobody", Optional: true, MountPath: "/mnt/levada-optional"}},
	}
	if f.Isolation() == nil {
		f.must(s)
	}
}

func TestTheCacheKeyFollowsTheContentOfSecrets(t *testing.T) {
	values := vault{"secret/db": {"password": []byte("one")}}
	f := newFixture(t, func(o *runner.Options) { o.Secrets = values })
	s := f.command("alpine", "true")
	digest := func() string {
		t.Helper()
		d, err := f.Environment(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		return d.Secrets
	}
	without := digest()
	s.Kubernetes = &ir.KubernetesExecutor{SecretAsEnv: []ir.KeySource{{SecretName: "db", KeyToEnv: []ir.KeyToEnv{{SecretKey: "password", EnvVar: "P"}}}}}
	one, again := digest(), digest()
	values["secret/db"] = secret.Data{"password": []byte("two")}
	two := digest()
	if without == one || one != again || one == two {
		t.Errorf("digests: without %s, one %s, again %s, two %s", without, one, again, two)
	}
}

func TestVolumesAreSharedByNameAndOthersEndWithTheStep(t *testing.T) {
	views(t, func(t *testing.T, f *fixture) {
		s := f.python(`
def f() -> str:
    import os
    for d in ('/levada-claim', '/levada-sub/deep', '/levada-empty', '/levada-memory', '/levada-ephemeral'):
        assert os.listdir(d) == [], d
        open(d + '/x', 'w').write('x')
    assert os.statvfs('/levada-memory').f_blocks * os.statvfs('/levada-memory').f_frsize == 1 << 20
    return str(os.statvfs('/dev/shm').f_blocks * os.statvfs('/dev/shm').f_frsize)
`)
		parameter(s, "Output", ir.String)
		s.Kubernetes = &ir.KubernetesExecutor{
			PVCMount: []ir.PVCMount{{Constant: "shared-" + t.Name()[len(t.Name())-4:], MountPath: "/levada-claim"},
				{Constant: "shared-" + t.Name()[len(t.Name())-4:], MountPath: "/levada-sub/deep", SubPath: "a/b"}},
			EmptyDirMounts:         []ir.EmptyDirMount{{VolumeName: "e", MountPath: "/levada-empty"}, {MountPath: "/levada-memory", Medium: "Memory", SizeLimit: "1Mi"}},
			GenericEphemeralVolume: []ir.EphemeralVolume{{VolumeName: "g", MountPath: "/levada-ephemeral", Size: "1Gi"}},
			EnabledSharedMemory:    &ir.SharedMemory{Size: "8Mi"},
		}
		s.Kubernetes.PVCMount[0].SubPath = "top"
		if got := f.must(s).Parameters["Output"]; got != "8388608" {
			t.Errorf("/dev/shm has %v bytes", got)
		}
		r := f.command("alpine", "sh", "-c", "cd /levada-claim && find . -type f | sort")
		r.Kubernetes = &ir.KubernetesExecutor{PVCMount: []ir.PVCMount{{Constant: s.Kubernetes.PVCMount[0].Constant, MountPath: "/levada-claim"}}}
		f.must(r)
		contains(t, f.log(r), "stdout ./a/b/x\nstdout ./top/x\n")
		for _, bad := range []ir.PVCMount{{Constant: "x", MountPath: filepath.Dir(f.data)}, {Constant: "x", MountPath: "/y", SubPath: "../z"}, {MountPath: "/y"}} {
			r := f.command("alpine", "true")
			r.Kubernetes = &ir.KubernetesExecutor{PVCMount: []ir.PVCMount{bad}}
			f.fails(t.Context(), r, run.ReasonInput)
		}
	})
}
