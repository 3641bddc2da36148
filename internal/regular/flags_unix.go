//go:build unix

package regular

import "syscall"

// NoWait is the flags of opening with which a pipe does not wait for its other end and a terminal does not take this process over.
const NoWait = syscall.O_NONBLOCK | syscall.O_NOCTTY
