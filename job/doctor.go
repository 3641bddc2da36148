package job

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"

	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/memory"
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
	AvailMiB    int64    `json:"available_mib"` // to this process, by machine, control groups and ulimit; 0 when not known
	LimitMiB    int64    `json:"limit_mib"`     // of the process's control groups and ulimit -v, 0 for none
	BudgetMiB   int64    `json:"budget_mib"`    // that a command may take, see --max-memory; 0 for any
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
	r.MemoryMiB, r.LimitMiB = memory.Total()>>20, memory.Limit()>>20
	if n, ok := memory.Free(); ok {
		r.AvailMiB = n >> 20
	}
	if n := memory.Left(); n < math.MaxInt64/2 {
		r.BudgetMiB = n >> 20
	}
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
