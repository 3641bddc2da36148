package fleet

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Frames are what goes through the pipes of a process: the length of a head and of a body (uint32 and uint64, little-endian), the head as
// JSON, and the body as it is.

// head says what a frame is. A worker asks with an ID, and the answer has the same.
type head struct {
	ID      uint64 `json:"id"`
	Op      op     `json:"op"`
	Subject string `json:"subject,omitempty"`
	Name    string `json:"name,omitempty"` // ID of a message
	Last    bool   `json:"last,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	Receipt uint64 `json:"receipt,omitempty"`
	Key     Key    `json:"key,omitempty"`
	Worker  int    `json:"worker,omitempty"`
	Error   string `json:"error,omitempty"`
	NoBlob  bool   `json:"no_blob,omitempty"`
}

type op string

const (
	opWelcome op = "welcome" // the first frame, to the worker: which one it is
	opPublish op = "publish"
	opPull    op = "pull"
	opAck     op = "ack"
	opRequest op = "request"
	opPut     op = "put"
	opBlob    op = "blob"
	opCancel  op = "cancel" // the pull or request of that ID is not wanted any more
	opAnswer  op = "answer"
)

const (
	maxHead = 1 << 16
	maxBody = 1 << 32
)

// pipe writes and reads frames. Writes of several goroutines do not mix.
type pipe struct {
	r  *bufio.Reader
	mu sync.Mutex
	w  *bufio.Writer
}

func newPipe(r io.Reader, w io.Writer) *pipe {
	return &pipe{r: bufio.NewReaderSize(r, 1<<16), w: bufio.NewWriterSize(w, 1<<16)}
}

func (p *pipe) write(h head, body []byte) error {
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	var n [12]byte
	binary.LittleEndian.PutUint32(n[:], uint32(len(b)))
	binary.LittleEndian.PutUint64(n[4:], uint64(len(body)))
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range [][]byte{n[:], b, body} {
		if _, err := p.w.Write(x); err != nil {
			return err
		}
	}
	return p.w.Flush()
}

// read takes the next frame. Lengths are not believed: memory grows with what comes.
func (p *pipe) read() (h head, body []byte, err error) {
	var n [12]byte
	if _, err := io.ReadFull(p.r, n[:]); err != nil {
		return h, nil, err
	}
	hn, bn := binary.LittleEndian.Uint32(n[:]), binary.LittleEndian.Uint64(n[4:])
	if hn > maxHead || bn > maxBody {
		return h, nil, fmt.Errorf("fleet: a frame with a head of %d bytes and a body of %d: that is none", hn, bn)
	}
	raw := make([]byte, hn)
	if _, err := io.ReadFull(p.r, raw); err != nil {
		return h, nil, cut(err)
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return h, nil, fmt.Errorf("fleet: the head of a frame: %w", err)
	}
	if bn == 0 {
		return h, nil, nil
	}
	var b bytes.Buffer
	b.Grow(int(min(bn, 1<<20)))
	if _, err := io.CopyN(&b, p.r, int64(bn)); err != nil {
		return h, nil, cut(err)
	}
	return h, b.Bytes(), nil
}

// cut is the error of a frame that ends too soon.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
