package job

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/onnx"
	"golang.org/x/sys/cpu"
)

// DoctorReport is what gtk has to work with.
type DoctorReport struct {
	Schema      string   `json:"schema"`
	Version     string   `json:"version"`
	Go          string   `json:"go"`
	OS          string   `json:"os"`
	Arch        string   `json:"arch"`
	CPU         string   `json:"cpu"`
	Features    []string `json:"cpu_features"`
	ISA         string   `json:"isa"`
	ISAs        []string `json:"isas"`
	Processors  int      `json:"processors"`
	Threads     int      `json:"threads"`
	MemoryMiB   int64    `json:"memory_mib"`    // of the machine, 0 when not known
	AvailMiB    int64    `json:"available_mib"` // of that, 0 when not known
	LimitMiB    int64    `json:"limit_mib"`     // of the process's control group, 0 for none
	Operators   int      `json:"operators"`
	LatestOpset int      `json:"latest_opset"`
	Warnings    []string `json:"warnings"`
}

// Doctor looks at processor, kernels, threads (0 means all processors) and memory. version is that of the program.
func Doctor(version string, threads int) *DoctorReport {
	pool := parallel.New(threads)
	defer pool.Close()
	r := &DoctorReport{Schema: "gtk.doctor/1", Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		CPU: cpuName(), Features: cpuFeatures(),
		ISA: kernel.CurrentISA().String(), Processors: runtime.NumCPU(), Threads: pool.Threads(), LatestOpset: onnx.LatestOpset,
		Warnings: []string{}}
	if table, err := Operators(OperatorsConfig{}); err == nil {
		r.Operators, _ = table.Names()
	}
	for _, i := range kernel.ISAs() {
		r.ISAs = append(r.ISAs, i.String())
	}
	r.MemoryMiB, r.AvailMiB = memInfo("MemTotal:"), memInfo("MemAvailable:")
	r.LimitMiB = memoryLimit()
	if want := os.Getenv("GTK_ISA"); want != "" && !strings.EqualFold(want, r.ISA) {
		r.Warnings = append(r.Warnings, fmt.Sprintf("GTK_ISA=%s is not to be had here; %s is used", want, r.ISA))
	}
	if kernel.CurrentISA() == kernel.Generic {
		r.Warnings = append(r.Warnings, "the kernels are plain Go: this processor or build (-tags noasm) has no faster ones")
	}
	return r
}

// cpuName is what the system calls the processor.
func cpuName() string {
	b, err := regular.Read("/proc/cpuinfo", 16<<20)
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return runtime.GOARCH
}

// cpuFeatures are those that matter to the kernels.
func cpuFeatures() []string {
	out := []string{}
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"sse4.1", cpu.X86.HasSSE41}, {"avx", cpu.X86.HasAVX}, {"avx2", cpu.X86.HasAVX2}, {"fma", cpu.X86.HasFMA},
		{"avx512f", cpu.X86.HasAVX512F}, {"avx512vl", cpu.X86.HasAVX512VL}, {"avx512bw", cpu.X86.HasAVX512BW},
		{"avx512dq", cpu.X86.HasAVX512DQ},
		{"avx512vnni", cpu.X86.HasAVX512VNNI}, {"avx512bf16", cpu.X86.HasAVX512BF16},
		{"asimd", cpu.ARM64.HasASIMD}, {"asimddp", cpu.ARM64.HasASIMDDP}, {"sve", cpu.ARM64.HasSVE},
	} {
		if f.has {
			out = append(out, f.name)
		}
	}
	return out
}

// memInfo is a field of /proc/meminfo in MiB, 0 where there is none.
func memInfo(field string) int64 {
	b, err := regular.Read("/proc/meminfo", 1<<20)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		if f := bytes.Fields(line); len(f) >= 2 && string(f[0]) == field {
			kib, err := strconv.ParseInt(string(f[1]), 10, 64)
			if err != nil {
				return 0
			}
			return kib >> 10
		}
	}
	return 0
}

// memoryLimit is the memory limit of the control group in MiB, 0 where there is none.
func memoryLimit() int64 {
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		b, err := regular.Read(path, 1<<20)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && n < 1<<50 {
			return n >> 20
		}
	}
	return 0
}
