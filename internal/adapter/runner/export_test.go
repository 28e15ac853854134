package runner

// Supervisor is the pid of the supervisor that this runner started, 0 when it has ended.
func (r *Runner) Supervisor() int {
	v, ok := r.overseer.(*remote)
	if !ok || v.link == nil {
		return 0
	}
	select {
	case <-v.link.gone:
		return 0
	default:
		return v.link.process.Pid
	}
}

// Settled waits until the directories of settled attempts are disposed of.
func (r *Runner) Settled() { r.settles.Wait() }
