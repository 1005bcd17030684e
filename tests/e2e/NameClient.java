import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;

/**
 * A client that connects by name and leaves caching to the JVM. Opens two connections first. Then each line that it
 * reads is what to do, and how many seconds to wait for it; each one that it writes, what came of it.
 */
public class NameClient {
  private static Socket connect(String name, int seconds) throws IOException {
    Socket socket = new Socket();
    socket.connect(new InetSocketAddress(InetAddress.getByName(name), 80), seconds * 1000);
    return socket;
  }

  private static String use(Socket socket, int seconds) throws IOException {
    try (socket) {
      socket.setSoTimeout(seconds * 1000);
      socket.getOutputStream().write("GET / HTTP/1.0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
      String first = new String(socket.getInputStream().readNBytes(4), StandardCharsets.US_ASCII);
      return first.equals("HTTP") ? "answered" : "closed";
    }
  }

  public static void main(String[] arguments) throws IOException {
    String name = arguments[0];
    ArrayDeque<Socket> live = new ArrayDeque<>();
    while (live.size() < 2) {
      live.add(connect(name, 60));
    }
    System.out.println("ready");
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String[] words = line.split(" ");
      int seconds = Integer.parseInt(words[1]);
      String came = "nothing";
      try {
        if (words[0].equals("new")) {
          connect(name, seconds).close();
          came = "open";
        } else {
          came = use(live.remove(), seconds);
        }
      } catch (IOException nothing) {
        // Refused, cut, or no answer in time.
      }
      System.out.println(came);
    }
  }
}
