// Package helm tests the Helm chart in deployments/kubernetes/chart, as Helm renders it for
// the values in its folder ci: objects are decoded strictly into Kubernetes' own types, pods
// are held against the Pod Security Standard restricted, and what a pod would run is run
// here, with its Secrets as files, until its probes are answered.
//
// No Kubernetes is asked. That a kubelet mounts files as they are laid here, and that a
// NetworkPolicy lets through what it should, is not tested.
package helm
