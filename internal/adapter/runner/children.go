package runner

import (
	"os"
	"sync"
	"syscall"
)

// children are the processes that an overseer has started. In a supervisor process the orphans among their descendants become
// its children too, and it waits for them.
type children struct {
	adopting bool

	mu  sync.Mutex
	own map[int]bool // those that somebody waits for
}

func newChildren() *children { return &children{own: make(map[int]bool)} }

// start starts a process that the caller waits for.
func (c *children) start(path string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, err := os.StartProcess(path, argv, attr)
	if err == nil {
		c.own[p.Pid] = true
	}
	return p, err
}

// claim says that somebody may have to wait for a process that is not a child yet: should its parent die, nobody else may
// collect it.
func (c *children) claim(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.own[pid] = true
}

// forget says that somebody has waited for a process.
func (c *children) forget(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.own, pid)
}

// adopt makes this process the parent of the orphans among its descendants. Only a process that starts nothing else may.
func (c *children) adopt() { c.adopting = becomeSubreaper() }

// child is a child of this process; session is 0 when it has ended.
type child struct{ pid, session int }

// orphans returns the sessions of the orphans that run, and collects those that have ended, so that they do not stay as zombies. ok is
// false when this process does not get the orphans.
func (c *children) orphans() (sessions map[int]bool, ok bool) {
	if !c.adopting {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	all, ok := childProcesses()
	for _, p := range all {
		if c.own[p.pid] {
			continue
		}
		p.look()
		if p.session == 0 {
			_, _ = syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil)
			continue
		}
		if sessions == nil {
			sessions = make(map[int]bool)
		}
		sessions[p.session] = true
	}
	return sessions, ok
}

// wait waits for a claimed process whose parent has ended, if it has become a child of this process; ok is false when it has not.
func (c *children) wait(pid int) (end ending, ok bool) {
	if !c.adopting {
		return end, false
	}
	for {
		var st syscall.WaitStatus
		_, err := syscall.Wait4(pid, &st, 0, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return end, false
		case st.Signaled():
			return ending{signal: st.Signal()}, true
		}
		return ending{code: st.ExitStatus()}, true
	}
}
