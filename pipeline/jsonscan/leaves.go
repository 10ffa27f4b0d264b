package jsonscan

// Leaves calls leaf with each scalar of a text, nulls too, in the text's order: with the
// names that lead to it, joined by dots, with whether it is within an array, and with its
// raw bytes. Both slices are valid only until leaf returns. Elements of an array have the
// array's name. The error is Scanner's; leaf may have been called before.
func Leaves(data []byte, leaf func(path []byte, inArray bool, raw []byte)) error {
	w := walk{Scanner: Scanner{data: data}, path: make([]byte, 0, 256)}
	if err := w.value(false, leaf); err != nil {
		return err
	}
	if !w.Ended() {
		return w.Fail("the end")
	}
	return nil
}

// walk is a Scanner that knows the names on its way.
type walk struct {
	Scanner
	path    []byte
	objects int // open ones
}

func (w *walk) value(inArray bool, leaf func([]byte, bool, []byte)) error {
	switch w.Peek() {
	case '{':
		return w.object(inArray, leaf)
	case '[':
		return w.Array(func() error { return w.value(true, leaf) })
	}
	begin := w.pos
	if err := w.Value(); err != nil {
		return err
	}
	leaf(w.path, inArray, w.data[begin:w.pos:w.pos])
	return nil
}

func (w *walk) object(inArray bool, leaf func([]byte, bool, []byte)) error {
	outer, nested := len(w.path), w.objects > 0
	w.objects++
	err := w.Members(func(name []byte) error {
		if nested {
			w.path = append(w.path, '.')
		}
		w.path = append(w.path, name...)
		err := w.value(inArray, leaf)
		w.path = w.path[:outer]
		return err
	})
	w.objects--
	return err
}
