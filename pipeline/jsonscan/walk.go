package jsonscan

// Tree is told what a text holds, in the text's order. It numbers the objects' members as
// it likes; 0 is the whole text. Slices are valid only until a method returns.
type Tree interface {
	// Member returns the number of a member of an object.
	Member(object int, name []byte) int
	// Leaf takes a scalar, nulls too: the value of a member, or, if inArray, one in an array
	// that is. Escaped says that a string has escapes.
	Leaf(member int, inArray, escaped bool, raw []byte)
}

// Walk tells a Tree what a text holds. The error is Scanner's; the Tree may have been told
// a part before.
func Walk(data []byte, tree Tree) error {
	w := walk{Scanner: Scanner{data: data}, tree: tree}
	if err := w.value(0, false); err != nil {
		return err
	}
	if !w.Ended() {
		return w.Fail("the end")
	}
	return nil
}

type walk struct {
	Scanner
	tree Tree
}

func (w *walk) value(at int, inArray bool) error {
	begin := w.pos
	var escaped bool
	var err error
	switch w.Peek() {
	case '{':
		return w.object(at, inArray)
	case '[':
		return w.array(at)
	case '"':
		begin = w.pos
		escaped, err = w.str()
	default:
		begin = w.pos
		err = w.Value()
	}
	if err != nil {
		return err
	}
	w.tree.Leaf(at, inArray, escaped, w.data[begin:w.pos:w.pos])
	return nil
}

func (w *walk) array(at int) error {
	if err := w.enter(); err != nil {
		return err
	}
	if w.Peek() == ']' {
		w.leave()
		return nil
	}
	for {
		if err := w.value(at, true); err != nil {
			return err
		}
		if end, err := w.next(']', "a comma or the array's end"); end || err != nil {
			return err
		}
	}
}

func (w *walk) object(at int, inArray bool) error {
	if err := w.enter(); err != nil {
		return err
	}
	if w.Peek() == '}' {
		w.leave()
		return nil
	}
	for {
		name, err := w.name()
		if err != nil {
			return err
		}
		if err := w.value(w.tree.Member(at, name), inArray); err != nil {
			return err
		}
		if end, err := w.next('}', "a comma or the object's end"); end || err != nil {
			return err
		}
	}
}

// next skips the comma before another element, or the bracket that ends them.
func (w *walk) next(bracket byte, want string) (end bool, err error) {
	switch w.Peek() {
	case ',':
		w.pos++
		return false, nil
	case bracket:
		w.leave()
		return true, nil
	}
	return false, w.Fail(want)
}
