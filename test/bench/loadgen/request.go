package main

import (
	"bytes"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
)

const (
	keyPrefix = "bench/"
	// prefixEnd is the first key behind all that begin with keyPrefix.
	prefixEnd    = "bench0"
	keyDigitsMax = 18
)

// keyDigits is set once, by a flag.
var keyDigits = 8

// keyOf is as long for every index, so that one key can take another's place in an encoded request.
func keyOf(index int) []byte { return fmt.Appendf(nil, "%s%0*d", keyPrefix, keyDigits, index) }

// placeholder is what stands for the n-th key of a call while its request is encoded.
func placeholder(n int) []byte { return keyOf(99999990 + n) }

// request is an encoded message whose keys can be replaced. A caller has its own and one call in flight at most, so
// the bytes are written anew only when the last call has been answered.
type request struct {
	bytes []byte
	// places[n] are the offsets of the digits of the n-th key.
	places [][]int
}

// requestOf encodes a message with placeholders for `keys` different keys.
func requestOf(message proto.Message, keys int) (request, error) {
	encoded, err := proto.Marshal(message)
	if err != nil {
		return request{}, err
	}
	r := request{bytes: encoded, places: make([][]int, keys)}
	for n := range keys {
		mark := placeholder(n)
		for from := 0; ; {
			at := bytes.Index(encoded[from:], mark)
			if at < 0 {
				break
			}
			r.places[n] = append(r.places[n], from+at+len(mark)-keyDigits)
			from += at + len(mark)
		}
		if len(r.places[n]) == 0 {
			return request{}, fmt.Errorf("key %d is not in the request", n)
		}
	}
	return r, nil
}

func (r request) clone() request { return request{bytes: slices.Clone(r.bytes), places: r.places} }

// setKey makes keyOf(index) the n-th key.
func (r request) setKey(n, index int) {
	var room [keyDigitsMax]byte
	digits := room[:keyDigits]
	for i := keyDigits - 1; i >= 0; i-- {
		digits[i] = byte('0' + index%10)
		index /= 10
	}
	for _, place := range r.places[n] {
		copy(r.bytes[place:], digits)
	}
}
