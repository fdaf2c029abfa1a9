# Prints what Perl's TAP::Parser makes of a document: a line for each of its lines, with tabs between the parts.
use strict;
use warnings;
use TAP::Parser;

binmode STDOUT, ':encoding(utf8)';
open my $file, '<:encoding(utf8)', $ARGV[0] or die "$ARGV[0]: $!";
my $text = do { local $/; <$file> };

# Before 3.45 it reads version 14 and complains that it knows no later one than 13.
my $is_old = $TAP::Parser::VERSION < 3.45;
my $has_bailed = 0;
my $parser = TAP::Parser->new({ tap => $text });
while (my $line = $parser->next) {
    if ($line->is_test) {
        my @texts = ($line->description, $line->explanation);
        s/\\([\\#])/$1/g for @texts;
        print join("\t", 'test', $line->is_actual_ok ? 1 : 0, $line->directive, @texts), "\n";
    } elsif ($line->is_bailout) {
        $has_bailed = 1;
        print "bailout\t", $line->explanation, "\n";
    } elsif ($line->is_unknown) {
        die "a line that Perl does not know: " . $line->raw . "\n";
    }
}
my @errors = $parser->parse_errors;
@errors = grep { !/version 14 but we don't know about versions later than 13/ } @errors if $is_old;
# Who bails out owes no plan.
@errors = grep { !/^No plan found/ } @errors if $has_bailed;
die join("\n", @errors), "\n" if @errors;
