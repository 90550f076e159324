"""What a stack is made of: etcd and kube-apiserver, MongoDB, the five services and the operator, each as a process."""
