package runner

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"levada/internal/adapter/subprocess"
)

const (
	hostScript     = "warmhost.py"
	executorScript = "kfp_paths.py"
)

// hostPool keeps the warm hosts: at most one for each environment and flavour.
type hostPool struct {
	opt      overseerOptions
	scripts  subprocess.Scripts
	children *children

	mu     sync.Mutex
	hosts  map[hostKey]*hostSlot
	closed bool
	ending sync.WaitGroup

	learning sync.Mutex // guards every imports.json

	counting sync.Mutex
	running  int // how many hosts have a process
}

// count keeps the number of hosts, and tells it.
func (p *hostPool) count(change int) {
	p.counting.Lock()
	defer p.counting.Unlock()
	p.running += change
	p.opt.Hosts(p.running)
}

// hostKey names a host. A step that sets variables of its own gets a plain host, which has only kfp imported: other modules
// may read variables when they are imported.
type hostKey struct {
	env   string
	plain bool
}

// hostSlot starts a host once for all who want it.
type hostSlot struct {
	mu   sync.Mutex
	host *host
	uses int // guarded by hostPool.mu: a slot in use is not evicted
}

func newHostPool(opt overseerOptions, c *children) *hostPool {
	return &hostPool{opt: opt, children: c, hosts: make(map[hostKey]*hostSlot), scripts: subprocess.Scripts{Dir: filepath.Join(opt.DataDir, "tools")}}
}

// start forks a step from the host of its environment.
func (p *hostPool) start(ctx context.Context, o *order, files stdio) (process, error) {
	key := hostKey{o.Interpreter.Key, o.Plain}
	slot, err := p.take(key)
	if err != nil {
		return process{}, err
	}
	defer p.put(slot)
	// A host may die between two steps, or refuse a module it had learned: then a new one is worth a try.
	for try := 1; ; try++ {
		h, err := p.ready(ctx, slot, o)
		if err == nil {
			var pr process
			if pr, err = h.run(o, files); err == nil {
				return pr, nil
			}
		}
		if ctx.Err() != nil {
			return process{}, ctx.Err()
		}
		if try == 5 {
			return process{}, err
		}
	}
}

func (p *hostPool) take(key hostKey) (*hostSlot, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errors.New("shutting down")
	}
	slot := p.hosts[key]
	if slot == nil {
		p.evict()
		slot = &hostSlot{}
		p.hosts[key] = slot
	}
	slot.uses++
	return slot, nil
}

func (p *hostPool) put(slot *hostSlot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slot.uses--
}

// evict ends the host that has been idle longest when there are as many as there may be; p.mu is held.
func (p *hostPool) evict() {
	if len(p.hosts) < p.opt.MaxHosts {
		return
	}
	var oldest hostKey
	var victim *hostSlot
	for key, slot := range p.hosts {
		if slot.uses > 0 || slot.host == nil {
			continue
		}
		idle, used := slot.host.idle()
		if !idle {
			continue
		}
		if victim != nil {
			if _, best := victim.host.idle(); !used.Before(best) {
				continue
			}
		}
		oldest, victim = key, slot
	}
	if victim != nil {
		delete(p.hosts, oldest)
		p.ending.Go(victim.host.close)
	}
}

// ready returns the slot's host, started and ready.
func (p *hostPool) ready(ctx context.Context, slot *hostSlot, o *order) (*host, error) {
	slot.mu.Lock()
	defer slot.mu.Unlock()
	if slot.host != nil && !slot.host.alive() {
		slot.host.close()
		slot.host = nil
	}
	if slot.host == nil {
		h, err := p.launch(o.Interpreter, o.Plain)
		if err != nil {
			return nil, err
		}
		slot.host = h
	}
	if err := slot.host.awaitReady(ctx); err != nil {
		if ctx.Err() == nil {
			slot.host.close()
			slot.host = nil
		}
		return nil, err
	}
	return slot.host, nil
}

func (p *hostPool) launch(env *interpreter, plain bool) (*host, error) {
	script, err := p.scripts.Path(hostScript)
	if err != nil {
		return nil, err
	}
	// Modules that keep files in the home directory must not put them into that of a step.
	home := filepath.Join(env.Path, "home")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return nil, err
	}
	memory := learnedModules{path: filepath.Join(env.Path, "imports.json")}
	var modules []string
	if !plain {
		modules = memory.load().Modules
	}
	return startHost(hostCommand{
		python: env.Executable, script: script, dir: home, env: p.environ(env, home), modules: modules, children: p.children,
		learned: func(names []string) { p.remember(memory, func(i *imports) { i.learn(names) }) },
		refused: func(name string) { p.remember(memory, func(i *imports) { i.refuse(name) }) },
		count:   p.count,
	})
}

// remember changes what is known about an environment's imports. Losing it costs time only, so failures are not reported to
// the step.
func (p *hostPool) remember(m learnedModules, change func(*imports)) {
	p.learning.Lock()
	defer p.learning.Unlock()
	i := m.load()
	before := i.text()
	change(&i)
	if after := i.text(); string(after) != string(before) {
		if err := m.save(after); err != nil {
			p.opt.Logger.Warn("what steps import could not be recorded", "file", m.path, "error", err)
		}
	}
}

func (p *hostPool) environ(env *interpreter, home string) []string {
	out := []string{"HOME=" + home, "TMPDIR=" + home, "_KFP_RUNTIME=true"}
	for _, kv := range p.opt.Environ {
		k, v, _ := strings.Cut(kv, "=")
		if k == "PATH" {
			out = append(out, "PATH="+env.Bin+":"+v)
		} else if subprocess.Passed(k) {
			out = append(out, kv)
		}
	}
	return out
}

// closeIdle ends the hosts that have no steps, and lets no new ones start.
func (p *hostPool) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for key, slot := range p.hosts {
		if slot.uses > 0 || slot.host == nil {
			continue
		}
		if idle, _ := slot.host.idle(); idle {
			delete(p.hosts, key)
			p.ending.Go(slot.host.close)
		}
	}
}

// close ends all hosts and waits for them.
func (p *hostPool) close() {
	p.mu.Lock()
	p.closed = true
	hosts := p.hosts
	p.hosts = map[hostKey]*hostSlot{}
	p.mu.Unlock()
	for _, slot := range hosts {
		slot.mu.Lock()
		if slot.host != nil {
			slot.host.close()
		}
		slot.mu.Unlock()
	}
	p.ending.Wait()
}
