package memory

import (
	"bytes"
	"math"
	"os"
	"path"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unsafe"
)

// Free is the memory in bytes that this process can still have: the least of what the machine has free, what its control groups leave and
// what the limits of the process (ulimit -v, -d) leave.
func Free() (bytes int64, ok bool) {
	bytes, ok = machine()
	if r, _, limited := room(); limited && (!ok || r < bytes) {
		bytes, ok = r, true
	}
	return bytes, ok
}

// machine is Free without the limit of the address space.
func machine() (bytes int64, ok bool) {
	least := func(n int64, found bool) {
		if found && (!ok || n < bytes) {
			bytes, ok = max(0, n), true
		}
	}
	least(field("/proc/meminfo", "MemAvailable:"))
	left, _, found := groups()
	least(left, found)
	return bytes, ok
}

// Limit is the least of the limits that the control groups of this process, ulimit -v and -d set, in bytes; 0 where they set none.
func Limit() int64 {
	_, most, _ := groups()
	for _, limited := range []func() (int64, bool){limited, limitedData} {
		if n, ok := limited(); ok && (most == 0 || n < most) {
			most = n
		}
	}
	return most
}

// Total is the memory of the machine in bytes, 0 where it is not known.
func Total() int64 {
	n, _ := field("/proc/meminfo", "MemTotal:")
	return n
}

func rlimit(what int) (most int64, ok bool) {
	var r syscall.Rlimit
	if syscall.Getrlimit(what, &r) != nil || r.Cur >= 1<<62 {
		return 0, false
	}
	return int64(r.Cur), true
}

// limited is the limit of the address space, ulimit -v, as the process found it, limitedData that of what can be written in it, ulimit -d.
var (
	limited     = sync.OnceValues(func() (int64, bool) { return rlimit(syscall.RLIMIT_AS) })
	limitedData = sync.OnceValues(func() (int64, bool) { return rlimit(syscall.RLIMIT_DATA) })
)

// The Go runtime reserves the address space of its heap in pieces of arena bytes, one after the other, and begins somewhere in the first;
// beside them it needs a little for its own tables. It ends the process when it gets none.
const (
	arena  = 64 << 20
	step   = 4 << 20 // by which the heap grows
	tables = 16 << 20
)

// inHeap is a place in the heap, from which its arenas are told.
var inHeap = new([64]byte)

// room is what limits of the address space and of data let the heap have beside what is in use: in all, and in one piece. Of what is free
// between what is in use nobody tells how it lies; a quarter of it may be in one piece.
func room() (all, piece int64, ok bool) {
	most, bounded := limited()
	data, dataBounded := limitedData()
	if !bounded && !dataBounded {
		return 0, 0, false
	}
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0, 0, false
	}
	var mapped, written, had, tail int64 // had: of the heap, tail: the end of it that was never used
	for line := range bytes.Lines(b) {
		span, mode, _ := strings.Cut(string(line), " ")
		from, to, _ := strings.Cut(span, "-")
		lo, e1 := strconv.ParseUint(from, 16, 64)
		hi, e2 := strconv.ParseUint(to, 16, 64)
		if e1 != nil || e2 != nil || hi > 1<<63 {
			continue // of the kernel
		}
		n := int64(hi - lo)
		mapped += n
		if len(mode) > 3 && mode[1] == 'w' && mode[3] == 'p' {
			written += n
		}
		if at := uint64(uintptr(unsafe.Pointer(inHeap))); hi < at-min(at, 1<<38) || lo > at+1<<38 {
			continue
		}
		if !strings.HasPrefix(mode, "---") {
			had, tail = had+tail+n, 0
		} else if had > 0 {
			tail += n
		}
	}
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(s)
	for i := range s {
		had -= int64(s[i].Value.Uint64())
	}
	had = max(0, had)
	next := int64(math.MaxInt64) // that the heap can grow by, and in one piece: what does not fit the tail gets arenas of its own
	whole := next
	if bounded {
		more := max(0, most-mapped-tables) / arena * arena
		next, whole = tail+more, max(tail, more)
	}
	if dataBounded {
		more := max(0, data-written-tables)
		next, whole = min(next, more), min(whole, more)
	}
	return had + next, max(whole-step, had/4), true
}

// field is a field of a file of /proc that is in kB, in bytes.
func field(file, name string) (int64, bool) {
	b, _ := os.ReadFile(file)
	for line := range strings.Lines(string(b)) {
		if v, found := strings.CutPrefix(line, name); found {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 10, 64)
			return kib << 10, err == nil
		}
	}
	return 0, false
}

// groups is what the control groups of this process leave and allow, of version 2 or 1: the least of the group and of those that it is in.
func groups() (left, most int64, ok bool) {
	b, _ := os.ReadFile("/proc/self/cgroup")
	for line := range bytes.Lines(b) {
		parts := strings.SplitN(strings.TrimSpace(string(line)), ":", 3) // ID:CONTROLLERS:PATH
		if len(parts) != 3 {
			continue
		}
		root, limit, used := "/sys/fs/cgroup", "memory.max", "memory.current"
		if parts[1] != "" {
			if !strings.Contains(","+parts[1]+",", ",memory,") {
				continue
			}
			root, limit, used = "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
		}
		for dir := path.Clean("/" + parts[2]); ; dir = path.Dir(dir) {
			m, set := number(path.Join(root, dir, limit))
			u, _ := number(path.Join(root, dir, used))
			cache, _ := stat(path.Join(root, dir, "memory.stat")) // the system takes it back
			if !set || m >= 1<<62 {
				m = math.MaxInt64
			} else if !ok || m-u+cache < left {
				left, ok = m-u+cache, true
			}
			if ok && (most == 0 || m < most) {
				most = m
			}
			if dir == "/" {
				break
			}
		}
	}
	return left, most, ok
}

func number(file string) (int64, bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil // "max" is no number
}

// stat is the bytes of files that a group keeps in memory and does not use.
func stat(file string) (int64, bool) {
	b, _ := os.ReadFile(file)
	for line := range strings.Lines(string(b)) {
		if v, found := strings.CutPrefix(line, "inactive_file "); found {
			n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
