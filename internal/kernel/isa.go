// Package kernel is the arithmetic of gtk: loops on slices and ints with the taste of BLAS. The doc
// comment of a kernel is its Go loop. The instruction set is chosen once at start (see ISA); work is
// spread over a *parallel.Pool in chunks that do not depend on the number of threads, so results
// are the same bit for bit for any pool. A slice that is too short panics with a constant message.
package kernel

import (
	"os"
	"slices"
	"strings"
)

// ISA is an instruction set that the kernels have code for.
type ISA int

// The instruction sets. Generic is plain Go; AVX2 includes FMA; AVX512 means F, VL, BW and DQ.
const (
	Generic ISA = iota
	AVX2
	AVX512
	NEON
)

var isaNames = [...]string{"generic", "avx2", "avx512", "neon"}

// String is the name that the environment variable GTK_ISA takes.
func (i ISA) String() string {
	if i < 0 || int(i) >= len(isaNames) {
		return "unknown"
	}
	return isaNames[i]
}

// machineISAs lists what this build and processor have, slowest first.
var machineISAs = append([]ISA{Generic}, detectISAs()...)

// currentISA is set before any init function of the package runs.
var currentISA = wantedISA(os.Getenv("GTK_ISA"))

var isaChoosers []func(ISA)

// wantedISA is the instruction set called name if the machine has it, else the best one.
func wantedISA(name string) ISA {
	for _, i := range machineISAs {
		if strings.EqualFold(i.String(), name) {
			return i
		}
	}
	return machineISAs[len(machineISAs)-1]
}

// onISA registers f, which sets the function variables of one family of kernels for an instruction
// set, and calls it for the current one. For init functions.
func onISA(f func(ISA)) {
	isaChoosers = append(isaChoosers, f)
	f(currentISA)
}

// CurrentISA is the instruction set in use.
func CurrentISA() ISA { return currentISA }

// ISAs lists the instruction sets of this build on this machine, slowest first; Generic is always there.
func ISAs() []ISA { return slices.Clone(machineISAs) }

// ForceISA switches all kernels to i and returns the way back; ok is false, and nothing changes, where
// the machine lacks i. For tests and measurements; no kernel may be running.
func ForceISA(i ISA) (restore func(), ok bool) {
	if !slices.Contains(machineISAs, i) {
		return func() {}, false
	}
	old := currentISA
	setISA(i)
	return func() { setISA(old) }, true
}

func setISA(i ISA) {
	currentISA = i
	for _, f := range isaChoosers {
		f(i)
	}
}
