// Package fleet carries work between a coordinator and its workers: a Plane is what both see, a Hub is the one that lives in the memory of
// the coordinator, and a backend brings workers to it, as goroutines (Local) or as processes of this machine (Processes, which talk to it
// through their standard input and output). Delivery is at least once, so what is done must be idempotent.
//
// The interface is cut so that a message broker on a network fits behind it: queues by subject with acknowledgement, redelivery and a
// last-value form, request and reply, and a store of blobs named by their content.
package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// Plane is what a coordinator or a worker sees of the others. It is safe for use by several goroutines.
type Plane interface {
	// Publish puts a message into the queue of its subject.
	Publish(ctx context.Context, m Message) error
	// Pull takes the next message of a subject, and waits for one. Until it is acknowledged it is this member's: it is delivered again, to
	// anyone, when the member leaves, or after the time that the queue gives.
	Pull(ctx context.Context, subject string) (*Message, error)
	// Ack says that a message that was pulled is dealt with.
	Ack(ctx context.Context, m *Message) error
	// Request asks whoever serves a subject, and waits for the answer.
	Request(ctx context.Context, subject string, body []byte) ([]byte, error)
	// Put stores a blob under the hash of its content.
	Put(ctx context.Context, blob []byte) (Key, error)
	// Blob is what was stored under a key; the content is checked. ErrNoBlob is the error of one that is not there, or not any more.
	Blob(ctx context.Context, k Key) ([]byte, error)
}

// Message is a message of a subject.
type Message struct {
	Subject string
	// ID says which messages are the same: one whose ID the queue has seen is not put into it again. "" is like no other.
	ID string
	// Last has the message take the place of everything in its subject that is not acknowledged.
	Last bool
	Body []byte
	// Attempt counts deliveries, from 1.
	Attempt int

	receipt uint64 // of the delivery
}

// Key names a blob: the SHA-256 of its content, in hexadecimal.
type Key string

// KeyOf is the key of a blob.
func KeyOf(blob []byte) Key {
	h := sha256.Sum256(blob)
	return Key(hex.EncodeToString(h[:]))
}

// What goes wrong with a plane.
var (
	ErrNoBlob = errors.New("fleet: there is no blob of that key")
	ErrClosed = errors.New("fleet: the coordinator has gone")
)

// Event is something that happened to a worker.
type Event struct {
	Worker int
	Kind   EventKind
	Err    error // why it left
}

// EventKind is what happened.
type EventKind string

// What can happen to a worker.
const (
	Joined EventKind = "joined"
	Left   EventKind = "left"   // and another one takes its place
	Failed EventKind = "failed" // and none does
)
