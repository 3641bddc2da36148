//go:build !noasm

package kernel

import "golang.org/x/sys/cpu"

func detectISAs() []ISA {
	if cpu.ARM64.HasASIMD {
		return []ISA{NEON}
	}
	return nil
}
