package serving_test

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/traffic"
	"levada/internal/serving"
)

func TestAServerThatStartsLoadsAFewModelsAtATimeAndThoseThatAreAskedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		together := max(2, runtime.NumCPU())
		store := &memory{endpoints: map[string]endpoint.Endpoint{}, versions: map[string][]endpoint.Deployed{}}
		for i := range 3 * together {
			name := fmt.Sprint("e", i)
			spec := endpoint.Spec{Model: "m", Versions: []string{"1"}, Traffic: traffic.Plan{Split: []traffic.Share{{Version: "1", Percent: 100}}}, Settings: endpoint.Settings{}.Filled()}
			store.endpoints[name] = endpoint.Endpoint{Name: name, Spec: spec, Active: &spec}
			store.versions[name] = []endpoint.Deployed{{Endpoint: name, Model: "m", Version: "1"}}
		}
		m := &models{loads: make(chan struct{})}
		b := open(t, m, store)
		synctest.Wait()
		if n := int(m.starts.Load()); n != together {
			t.Errorf("%d models load at once; want %d", n, together)
		}
		time.Sleep(31 * time.Second) // of the bubble: those that take so long keep nobody waiting
		synctest.Wait()
		if n := int(m.starts.Load()); n != 2*together {
			t.Errorf("%d models load after their turn; want %d", n, 2*together)
		}
		for name := range store.endpoints {
			go func() {
				if _, err := b.Infer(t.Context(), serving.Call{Endpoint: name, Request: request(1)}); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}()
		}
		synctest.Wait()
		if n := int(m.starts.Load()); n != 3*together {
			t.Errorf("%d models load when all are asked; want %d", n, 3*together)
		}
		close(m.loads)
		synctest.Wait()
		for name := range store.endpoints {
			if err := b.Ready(t.Context(), name, ""); err != nil {
				t.Error(err)
			}
		}
	})
}
