//go:build !race

package optim

const forgotten = 0
