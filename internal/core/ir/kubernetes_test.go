package ir_test

import (
	"strings"
	"testing"

	"levada/internal/core/fault"
	"levada/internal/core/ir"
)

func TestExtrasThatCouldNeverWorkAreRefused(t *testing.T) {
	for _, c := range []struct{ executor, config, want string }{
		{executor: `secretAsEnv: [{secretName: a, keyToEnv: [{envVar: X}]}]`, want: "want a key and an envVar"},
		{executor: `secretAsVolume: [{secretName: a, mountPath: relative}]`, want: `mountPath "relative": want an absolute path`},
		{executor: `pvcMount: [{constant: a, mountPath: /}]`, want: `mountPath "/"`},
		{executor: `configMapAsEnv: [{configMapNameParameter: {}}]`, want: "a parameter has no source"},
		{executor: `emptyDirMounts: [{mountPath: /a, sizeLimit: much}]`, want: "sizeLimit"},
		{executor: `enabledSharedMemory: {size: big}`, want: "enabledSharedMemory"},
		{executor: `secretAsEnv: yes`, want: "secretAsEnv"},
		{config: `activeDeadlineSeconds: -1`, want: "no negative numbers"},
		{config: `workspace: {size: huge}`, want: "workspace: size"},
	} {
		_, err := ir.Parse([]byte(`
schemaVersion: 2.1.0
pipelineInfo: {name: p}
deploymentSpec: {executors: {e: {container: {image: x, command: [run]}}}}
components: {c: {executorLabel: e}}
root: {dag: {tasks: {t: {componentRef: {name: c}}}}}
---
platforms: {kubernetes: {pipelineConfig: {` + c.config + `}, deploymentSpec: {executors: {e: {` + c.executor + `}}}}}
`))
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "platforms.kubernetes") {
			t.Errorf("%s%s: got %v, want an Invalid error with %q and its place", c.executor, c.config, err, c.want)
		}
	}
}
