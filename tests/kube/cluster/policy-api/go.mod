module sluice/tests/kube/cluster/policy-api

go 1.26.0

require sigs.k8s.io/network-policy-api v0.2.0

require (
	golang.org/x/net v0.49.0 // indirect
	golang.org/x/term v0.39.0 // indirect
	k8s.io/klog/v2 v2.140.0 // indirect
	k8s.io/streaming v0.36.3 // indirect
	k8s.io/utils v0.0.0-20260210185600-b8788abfbbc2 // indirect
)

// Of the cluster's version, so that they are compiled once.
replace (
	k8s.io/api => k8s.io/api v0.36.3
	k8s.io/apiextensions-apiserver => k8s.io/apiextensions-apiserver v0.36.3
	k8s.io/apimachinery => k8s.io/apimachinery v0.36.3
	k8s.io/client-go => k8s.io/client-go v0.36.3
)
