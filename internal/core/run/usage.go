package run

import "time"

// Usage is what the processes of an attempt used, sampled while they ran. An attempt that was short has none.
type Usage struct {
	StartedAt time.Time `json:"started_at"`
	// Seconds are the times of the samples since StartedAt. The other lists are as long.
	Seconds []float64 `json:"seconds"`
	// CPUSeconds is the processor time that was used by then, by all processes together.
	CPUSeconds []float64 `json:"cpu_seconds"`
	// MemoryBytes is the most that all processes together held at once since the sample before. Pages that they share count once for each.
	MemoryBytes []int64 `json:"memory_bytes"`
	// PeakBytes is the most of MemoryBytes, CPUs the number of processors of the machine.
	PeakBytes int64 `json:"peak_bytes"`
	CPUs      int   `json:"cpus"`
	// MemoryLimit is the step's limit in bytes; 0 is none.
	MemoryLimit int64 `json:"memory_limit,omitempty"`
	// Environment is the digest of what the step ran in.
	Environment string `json:"environment,omitempty"`
}

// maxSamples bounds a Usage.
const maxSamples = 240

// Add appends a sample. When there are too many, each two become one. It reports whether they did: then samples may come half as often.
func (u *Usage) Add(since time.Duration, cpu time.Duration, memory int64) (halved bool) {
	used := cpu.Seconds()
	if n := len(u.CPUSeconds); n > 0 {
		// A process that has ended takes its time with it until its parent has waited for it.
		used = max(used, u.CPUSeconds[n-1])
	}
	u.Seconds, u.CPUSeconds, u.MemoryBytes = append(u.Seconds, since.Seconds()), append(u.CPUSeconds, used), append(u.MemoryBytes, memory)
	u.PeakBytes = max(u.PeakBytes, memory)
	if len(u.Seconds) < maxSamples {
		return false
	}
	for i := range maxSamples / 2 {
		u.Seconds[i], u.CPUSeconds[i] = u.Seconds[2*i+1], u.CPUSeconds[2*i+1]
		u.MemoryBytes[i] = max(u.MemoryBytes[2*i], u.MemoryBytes[2*i+1])
	}
	u.Seconds, u.CPUSeconds, u.MemoryBytes = u.Seconds[:maxSamples/2], u.CPUSeconds[:maxSamples/2], u.MemoryBytes[:maxSamples/2]
	return true
}

// TaskEnvironment is the Python environment that a step ran in, or whose result was reused.
type TaskEnvironment struct {
	Digest string `json:"digest,omitempty"`
	// Packages are the exact ones, "name==version" each, the Python first. They are empty when the environment is not there any more.
	Packages []string `json:"packages"`
	// Note says why something is missing.
	Note string `json:"note,omitempty"`
}
