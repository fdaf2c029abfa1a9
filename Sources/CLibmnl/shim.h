#pragma once
// The C library's own network headers come first: they and the kernel's define the same structures, and the
// kernel's step back only when they come second.
#include <netinet/in.h>
#include <net/if.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
// What Probe asks of rtnetlink and of packet sockets.
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <linux/if_packet.h>
#include <linux/if_ether.h>
