import com.github.nexmark.flink.NexmarkConfiguration;
import com.github.nexmark.flink.generator.GeneratorConfig;
import com.github.nexmark.flink.generator.NexmarkGenerator;
import com.github.nexmark.flink.model.Event;
import java.io.BufferedOutputStream;
import java.io.PrintStream;
import java.time.Instant;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Prints the public generator's events, a line each: the kind, then its fields with tabs between. */
public class ReferenceRows {
    public static void main(String[] arguments) {
        long startMs = Instant.parse("2026-01-01T00:00:00Z").toEpochMilli();
        long events = Long.parseLong(arguments[0]);
        var generator = new NexmarkGenerator(new GeneratorConfig(new NexmarkConfiguration(), startMs, 1, events, -1, 1));
        try (var out = new PrintStream(new BufferedOutputStream(System.out, 1 << 20))) {
            while (generator.hasNext()) {
                out.println(line(generator.nextEvent().event));
            }
        }
    }

    private static String line(Event event) {
        if (event.bid != null) {
            var bid = event.bid;
            return join("bid", bid.auction, bid.bidder, bid.price, bid.channel, bid.url, bid.dateTime.toEpochMilli(), bid.extra);
        }
        if (event.newAuction != null) {
            var auction = event.newAuction;
            return join(
                    "auction", auction.id, auction.itemName, auction.description, auction.initialBid, auction.reserve,
                    auction.dateTime.toEpochMilli(), auction.expires.toEpochMilli(), auction.seller, auction.category, auction.extra);
        }
        var person = event.newPerson;
        return join(
                "person", person.id, person.name, person.emailAddress, person.creditCard, person.city, person.state,
                person.dateTime.toEpochMilli(), person.extra);
    }

    private static String join(Object... fields) {
        return Stream.of(fields).map(String::valueOf).collect(Collectors.joining("\t"));
    }
}
