// Writes what kubectl makes of YAML: a line for each document of `documents`, {"yaml": ..., "json": ...}, or "error" in
// place of "json" where kubectl refuses it. To make the table anew, with sigs.k8s.io/yaml of the version in go.mod:
//
//	cd tests/control/kubectl_yaml && go run . > table.jsonl
package main

import (
	"encoding/json"
	"os"
	"strings"

	"sigs.k8s.io/yaml"
)

// Without quotes, as a value and as a key.
var scalars = strings.Fields(`
~ null Null NULL nULL nil none
y Y n N yes Yes YES yEs no No NO nO on On ON oN off Off OFF oFF true True TRUE tRue false False FALSE fALSE t f T F
0 00 01 7 80 08 080 08080 09 010 0100 017 0777 0008 80_80 8_0_8_0 1__0 1_000 1_000_000 _80 80_ _ __ -_1 0_7 0_8
-1 +1 -0 +0 --1 ++1 -+1 +-1 - + -- ++ -08 +08 -017 +017 65535 65536 2147483647 2147483648 4294967296
9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809 18446744073709551615
18446744073709551616 +9223372036854775807 +9223372036854775808 +18446744073709551615 99999999999999999999
0x0 0x1F 0X1f 0xFF 0xff_ff 0x 0xg -0x1F +0x1F 0xFFFFFFFFFFFFFFFF 0x10000000000000000 0x1p4 0x1.8p1 0x_1F x1F 1F
0o17 0O17 0o 0o8 -0o17 +0o17 0o_17 0b11 0B11 0b 0b2 0b102 -0b11 +0b11 0b-11 0b+11 -0b-11 -0b+11 0b1_1 0b_11 0b__
0b1111111111111111111111111111111111111111111111111111111111111111
1:30 01:30 12:30:45 190:20:30 190:20:30.15 -1:30 60:00 08:08 1:2:3:4:5
1.0 1. .5 -.5 +.5 -1.5 +1.5 0.5 00.5 08.5 1.10 1.20 8080.0 8080. 08080.0 080.80 1_0.5 1_0.5_0 ._5 .5_0 1._5
1e3 1E3 1e+3 1e-3 1e 1e+ e3 .e3 1.e3 .5e1 08e1 8.08e3 1e2147483648 1e400 -1e400 1e-400 1e308 1e309 1e20 1e21 1e22
123456789.0 16777217.0 1234567.0 123456.0 999999.5 1000000.0 0.0001 0.00001 0.000001 0.0000001 1e-7 3.14159265358979 0.1
100000000000000000000.5 1.7976931348623157e308 5e-324 1e38 1e39 3.5e38 -1e39 -0.0 -0. 1.5.2 1.2.3 10.0.0.1 1,000 1.5f 80/tcp
.inf .Inf .INF .iNF +.inf +.Inf +.INF -.inf -.Inf -.INF inf Inf infinity .infinity +inf -inf
.nan .NaN .NAN .Nan nan NaN -.nan +.nan . .. ... .a .1.2 -. +. 1.e .5.
2026-01-31 2026-1-1 2026-13-01 2026-01-31T12:00:00Z 2026-01-31t12:00:00Z 2026-01-31T12:00:00.5+01:00 26-01-31 2026-01
<< < = * & = ?a -a :a a: a:b a#b %a @a a'b a"b 'y' "y" "80" '08080' "~" '' "" "null" 'null' ".inf" "1.0" "<<" '<<' "0x1F"
a A -a 80a 0xyz 1st 3com v1 1.2.3.4/8 fd00::1/64 ::1 app/name a.b/c yes! no. on- null0 truex ~a y1 n-1 é
`)

var tags = []string{"!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!binary", "!!map", "!!seq", "!own", "!"}

var tagged = []string{"80", "08080", "8080.0", "1.5", "yes", "true", "~", "null", "a", "aGk=", `"80"`, `"yes"`, `""`, "", "2026-01-31",
	".inf", "0x10", "18446744073709551615"}

var documents = []string{
	// Nothing.
	"", "---\n", "v:\n", "v: # comment\n", "v: ''\n", ":\n", ": a\n", "? a\n", "?\n",
	// Keys given twice, as they are written and as they are read.
	"v: 1\nv: 2\n", "{v: 1, v: 2}\n", "true: 1\nyes: 2\n", "y: 1\n'true': 2\n", "m: {a: 1, b: 2, a: 3}\n",
	// Keys that are no strings.
	"[a]: b\n", "{a: b}: c\n", "? [a]\n: b\n", "? {a: b}\n: c\n", "null: a\n", "~: a\n", "? ''\n: a\n", "!!null x: a\n",
	"18446744073709551615: a\n", "!!str 8: a\n", "!!int '8': a\n", "!!float 8: a\n", "&k 8: a\n", "a: &x 8\n*x : b\n",
	"a: &x yes\n*x : b\n", "a: &x [1]\n*x : b\n", "a: &x 1.10\n*x : b\n", "a: &x 18446744073709551615\n*x : b\n",
	"a: &x ~\n*x : b\n",
	// Anchors and aliases.
	"a: &x 08\nb: *x\n", "a: &x {b: &y 1}\nc: *x\nd: *y\n", "a: &x 1\nb: &x 2\nc: *x\n", "a: *x\n", "a: &x [*x]\n",
	"a: &x\nb: *x\n", "a: &x 'y'\nb: *x\n",
	// The merge key.
	"a: &x {k: 1, l: 2}\nb: {<<: *x}\n", "a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}\n", "a: &x {k: 1, l: 2}\nb: {k: 3, <<: *x}\n",
	"a: &x {k: 1}\nb: &y {k: 2, l: 2}\nc: {<<: [*x, *y]}\n", "a: &x {k: 1}\nb: &y {k: 2, l: 2}\nc: {<<: [*y, *x]}\n",
	"a: &x {k: 1}\nb: &y {k: 2, l: 2}\nc: {<<: *x, <<: *y}\n", "a: &x {k: 1}\nb: &y {k: 2, l: 2}\nc: {<<: *y, <<: *x}\n",
	"a: &x {k: 1}\nb: &y {k: 2, l: 2}\nc: {m: 1, <<: [*x, *y], l: 9, m: 2}\n",
	"a: &x {k: 1}\nb: &y {k: 2}\nc: {<<: *x, k: 3, <<: *y}\n",
	"a: {<<: {k: 1}}\n", "a: {<<: [{k: 1}, {k: 2, l: 3}]}\n", "a: {<<: {k: {m: 1}}, k: {n: 2}}\n", "a: {k: {n: 2}, <<: {k: {m: 1}}}\n",
	"a: &x {k: 1}\nb: &y {<<: *x, l: 2}\nc: {<<: *y}\n", "a: &x {k: 1}\nb: &y {l: *x}\nc: {<<: *y}\n",
	"a: {<<: {k: ~}}\n", "a: {k: 1, <<: {k: ~}}\n", "a: {<<: {}}\n", "a: {<<: []}\n", "a: &x {1: a}\nb: {<<: *x}\n", "a: &x {y: a}\nb: {<<: *x}\n",
	"a: {<<: 1}\n", "a: {<<: }\n", "a: {<<: ~}\n", "a: {<<: a}\n", "a: {<<: [1]}\n", "a: {<<: [[{k: 1}]]}\n", "a: &x [{k: 1}]\nb: {<<: *x}\n",
	"a: &x 1\nb: {<<: *x}\n", "a: &x 1\nb: {<<: [*x]}\n", "a: {'<<': {k: 1}}\n", "a: {\"<<\": 1}\n", "a: {!!merge <<: {k: 1}}\n", "a: {!!str <<: {k: 1}}\n",
	"<<: {k: 1}\n", "<<: {k: 1}\nk: 2\n", "k: 2\n<<: {k: 1}\n", "a: {? <<: {k: 1}}\n", "a: [<<]\n", "a: {b: <<}\n", "a: {<< : {k: 1}}\n",
	// Quotes, blocks, and more than a line.
	"v: \"a\\tb\\x41\\u0041\\/\\e\"\n", "v: 'it''s'\n", "v: |\n  80\n", "v: >-\n  80\n", "v: |-\n  y\n", "v: >\n  a\n  b\n\n  c\n", "v: |+\n  a\n\n",
	"v: |2-\n    a\n", "v: a\n  b\n", "v: 80\n  81\n", "v: \"a\n  b\"\n", "v: 'a\n\n  b'\n", "v: !!int |-\n  80\n", "- 1\n- y\n- 08\n- [n, 'n']\n",
	"v: [80, 08080, y, ~, , a]\n", "v: [80, 08080, y, ~, a, ]\n", "{a: 1, b, c: }\n", "[a: 1, b: y]\n", "{y: n, 1: 2, 'a':b}\n", "{\"a\":1}\n", "{\"a\":y}\n",
	"v: {a}\n", "v: {a, b: 1}\n", "v: [? a : b]\n", "v: !!set {a, b}\n", "v: !!omap [a: 1]\n", "v: !!map {a: 1}\n", "v: !!str {a: 1}\n", "v: !!int [1]\n",
	// Byte order marks, line ends, tabs, directives, comments.
	"\ufeffv: 1\n", "\ufeff---\nv: 1\n", "\ufeff# c\nv: 1\n", "# c\n\ufeffv: 1\n", "v: 1\n\ufeffw: 2\n", "\n\ufeffv: 1\n", "v: a\ufeffb\n", "v: \"\ufeff\"\n",
	"%YAML 1.1\n---\nv: y\n", "%YAML 1.2\n---\nv: y\n", "v: 1\r\nw: y\r\n", "v: y \n", "v: y\t\n", "v: y # c\n", "v: y# c\n", "v:\ty\n", "v: 80 # c\n",
	"v:\n- 1\n- 2\n", "v:\n  - 1\n  -\n  - ~\n", "v:\n  k: 1\n  l:\n", "v: - 1\n", "v: a: b\n", "v: 'y'z\n", "v: @a\n", "v: `a`\n", "v: %a\n", "v: &a\n", "v: *a\n",
	"v: {a: b\n", "v: [a\n", "v: \"a\n", "\tv: a\n", "v: a\n w: b\n", "v: \"\\q\"\n", "v: !!nope\n", "v: !<tag:yaml.org,2002:int> 08080\n", "v: !<tag:yaml.org,2002:str> 8\n",
	"v: !!int '08080'\n", "v: !!float '1'\n", "v: !!bool 'y'\n", "v: !!null ''\n", "v: ! y\n", "v: ! 'y'\n", "v: !own 'y'\n", "v: !!str\n", "v: !!int\n", "v: !!null\n",
}

func main() {
	all := append([]string{}, documents...)
	for _, scalar := range scalars {
		all = append(all, "v: "+scalar+"\n", scalar+": v\n", "["+scalar+"]\n", "{"+scalar+": "+scalar+"}\n")
	}
	for _, tag := range tags {
		for _, scalar := range tagged {
			all = append(all, "v: "+tag+" "+scalar+"\n", tag+" "+scalar+": v\n")
		}
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	seen := map[string]bool{}
	for _, document := range all {
		if seen[document] {
			continue
		}
		seen[document] = true
		line := map[string]any{"yaml": document}
		if made, err := yaml.YAMLToJSON([]byte(document)); err != nil {
			line["error"] = err.Error()
		} else {
			line["json"] = json.RawMessage(made)
		}
		if err := out.Encode(line); err != nil {
			panic(err)
		}
	}
}
