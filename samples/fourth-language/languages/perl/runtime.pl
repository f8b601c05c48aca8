#!/usr/bin/perl
# Serves one Perl function on the laptop: the least that a wrapper must do. It calls
# HANDLER ("main.handler": sub handler of main.pl) with the decoded JSON of a request, and answers
# with what it returns.
#
# Frames on HEARTH_SOCKET_FD: u32 length, u8 kind (1 head, 2 data), u8 flags (1: last), u16 zero, all
# little endian, then the payload. A request's head is "METHOD TARGET\n" and "name: value\n" lines, an
# answer's "STATUS\n" and the same lines.
use strict;
use warnings;
use IO::Handle;
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP;

my ($HEAD, $DATA, $LAST, $BODY_MAX) = (1, 2, 1, 10 << 20);
my $json = JSON::PP->new->utf8->canonical->allow_nonref->allow_unknown;
# The kernel ignores a signal without a handler for process 1.
$SIG{TERM} = $SIG{INT} = sub { exit 0 };
$SIG{PIPE} = 'IGNORE';

my $control = IO::Handle->new_from_fd($ENV{HEARTH_CONTROL_FD}, 'w') or die "control socket: $!";
sub report { $control->syswrite($json->encode($_[0]) . "\n") }

my ($module, $name) = ($ENV{HANDLER} // 'main.handler') =~ /^(.*)\.([^.]+)$/;
my $handler = eval {
    require "/app/$module.pl";
    no strict 'refs';
    defined &{"main::$name"} or die "$module.pl has no sub $name\n";
    \&{"main::$name"};
};
if (!$handler) {
    report({type => 'failed', error => 'ImportError', message => "$@", traceback => "$@"});
    exit 1;
}

sub frame { my ($kind, $flags, $bytes) = @_; pack('VCCv', length $bytes, $kind, $flags, 0) . $bytes }

sub answer {
    my ($status, $type, $body) = @_;
    my $head = "$status\ncontent-type: $type\ncontent-length: " . length($body) . "\n";
    return length $body ? frame($HEAD, 0, $head) . frame($DATA, $LAST, $body)
                        : frame($HEAD, $LAST, $head);
}

sub respond {
    my ($head, $body) = @_;
    return answer(200, 'application/json', '{"status":"healthy"}')
        if $head =~ m{^(?:GET|HEAD) /(?:healthz?|readyz)\n};
    my $event = eval { length $body ? $json->decode($body) : {} };
    return answer(400, 'application/json', $json->encode({error => "data is not valid JSON"})) if $@;
    my $result = eval { $handler->($event) };
    if ($@) {
        print STDERR "Invocation failed: $@";
        return answer(500, 'application/json', $json->encode({error => 'the handler failed'}));
    }
    return ref $result ? answer(200, 'application/json', $json->encode($result))
                       : answer(200, 'text/plain; charset=utf-8', $result // '');
}

my $server = IO::Socket::UNIX->new_from_fd($ENV{HEARTH_SOCKET_FD}, 'r+') or die "socket: $!";
my $select = IO::Select->new($server);
my %connections;    # by descriptor: what came and isn't read yet, the request under way
report({type => 'ready'});

# Whole frames of what came; false when the connection makes no sense.
sub take_frames {
    my ($socket, $state) = @_;
    while (length $state->{in} >= 8) {
        my ($length, $kind, $flags) = unpack('VCC', $state->{in});
        return 0 if $length + length($state->{body} // '') > $BODY_MAX;
        return 1 if length $state->{in} < 8 + $length;
        my $bytes = substr($state->{in}, 8, $length);
        substr($state->{in}, 0, 8 + $length) = '';
        if    ($kind == $HEAD) { @$state{qw(head body)} = ($bytes, '') }
        elsif ($kind == $DATA) { $state->{body} .= $bytes }
        else                   { return 0 }
        next unless $flags & $LAST;
        my $out = respond($state->{head}, $state->{body});
        while (length $out) {
            my $sent = $socket->syswrite($out) or return 0;
            substr($out, 0, $sent) = '';
        }
    }
    return 1;
}

while (1) {
    for my $socket ($select->can_read) {
        if ($socket == $server) {
            my $new = $server->accept or next;
            $connections{fileno $new} = {in => ''};
            $select->add($new);
            next;
        }
        my $state = $connections{fileno $socket};
        my $got = $socket->sysread($state->{in}, 65536, length $state->{in});
        next if $got && take_frames($socket, $state);
        $select->remove($socket);
        delete $connections{fileno $socket};
        $socket->close;
    }
}
