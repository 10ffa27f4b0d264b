package pipeline

import (
	"reflect"
	"testing"
)

// Every hook reaches every trace; where none has it, calling it does nothing.
func TestTracesPassEveryHookOn(t *testing.T) {
	counts := [2]map[string]int{{}, {}}
	made := make([]*Trace, 2)
	for n := range made {
		made[n] = &Trace{}
		hooks := reflect.ValueOf(made[n]).Elem()
		for field, hook := range hooks.Fields() {
			hook.Set(reflect.MakeFunc(hook.Type(), func([]reflect.Value) []reflect.Value {
				counts[n][field.Name]++
				return nil
			}))
		}
	}
	all, none := reflect.ValueOf(Traces(made[0], nil, made[1])).Elem(), reflect.ValueOf(Traces(nil)).Elem()
	for field, hook := range all.Fields() {
		var args []reflect.Value
		for in := range hook.Type().Ins() {
			args = append(args, reflect.Zero(in))
		}
		hook.Call(args)
		none.FieldByIndex(field.Index).Call(args)
		if counts[0][field.Name] != 1 || counts[1][field.Name] != 1 {
			t.Errorf("%s: called %d and %d times, want once each", field.Name, counts[0][field.Name], counts[1][field.Name])
		}
	}
}
