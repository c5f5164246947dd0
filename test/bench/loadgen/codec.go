package main

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// rawCodec sends messages that are encoded already and reads of an answer only what its receiver wants. What goes over
// the wire is the same as with generated stubs; the generator spends less on it.
type rawCodec struct{}

// receiver is the reply argument of a call.
type receiver interface {
	receive(message []byte) error
}

// Name is empty because the content type is to stay "application/grpc".
func (rawCodec) Name() string { return "" }

func (rawCodec) Marshal(message any) (mem.BufferSlice, error) {
	bytes, ok := message.([]byte)
	if !ok {
		return nil, fmt.Errorf("a request is bytes, not %T", message)
	}
	return mem.BufferSlice{mem.SliceBuffer(bytes)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, reply any) error {
	if _, ok := reply.(nobody); ok {
		return nil
	}
	buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buffer.Free()
	return reply.(receiver).receive(buffer.ReadOnlyData())
}

// nobody receives answers that are not looked at.
type nobody struct{}

// fields calls visit for every field of a message: with its payload when it has one, with its value when it is an integer.
func fields(message []byte, visit func(field protowire.Number, payload []byte, value uint64)) error {
	for len(message) > 0 {
		field, kind, length := protowire.ConsumeTag(message)
		if length < 0 {
			return protowire.ParseError(length)
		}
		message = message[length:]
		switch kind {
		case protowire.VarintType:
			var value uint64
			if value, length = protowire.ConsumeVarint(message); length >= 0 {
				visit(field, nil, value)
			}
		case protowire.BytesType:
			var payload []byte
			if payload, length = protowire.ConsumeBytes(message); length >= 0 {
				visit(field, payload, 0)
			}
		default:
			length = protowire.ConsumeFieldValue(field, kind, message)
		}
		if length < 0 {
			return protowire.ParseError(length)
		}
		message = message[length:]
	}
	return nil
}

// occurrences counts one field of an answer.
type occurrences struct {
	field protowire.Number
	count int
}

func (o *occurrences) receive(message []byte) error {
	o.count = 0
	return fields(message, func(field protowire.Number, _ []byte, _ uint64) {
		if field == o.field {
			o.count++
		}
	})
}

// integer keeps the value of one field of an answer.
type integer struct {
	field protowire.Number
	value int64
}

func (i *integer) receive(message []byte) error {
	i.value = 0
	return fields(message, func(field protowire.Number, _ []byte, value uint64) {
		if field == i.field {
			i.value = int64(value)
		}
	})
}

// watchAnswer keeps of a WatchResponse what the fan-out measures: the times that the values of its events begin with.
type watchAnswer struct {
	created, canceled bool
	sentUs            []int64
}

func (w *watchAnswer) receive(message []byte) error {
	w.created, w.canceled, w.sentUs = false, false, w.sentUs[:0]
	var inner error
	keep := func(err error) {
		if err != nil {
			inner = err
		}
	}
	err := fields(message, func(field protowire.Number, event []byte, value uint64) {
		switch field {
		case 3:
			w.created = value != 0
		case 4:
			w.canceled = value != 0
		case 11:
			keep(fields(event, func(field protowire.Number, record []byte, _ uint64) {
				if field == 2 {
					keep(fields(record, func(field protowire.Number, value []byte, _ uint64) {
						if field == 5 && len(value) >= 8 {
							w.sentUs = append(w.sentUs, int64(binary.BigEndian.Uint64(value)))
						}
					}))
				}
			}))
		}
	})
	if err == nil {
		err = inner
	}
	return err
}
